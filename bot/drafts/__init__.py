"""Photos and clips before there is an order: kept, fetched, looked at."""
