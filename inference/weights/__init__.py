"""Weight files: which there are, how they are fetched, checked and converted."""
