"""Photos, clips and recordings before there is an order: kept, fetched, looked at."""
