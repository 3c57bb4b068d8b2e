"""The private conversation: from a photo to an order, one card for each photo."""
