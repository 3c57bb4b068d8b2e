"""Programs for development; nothing of the service imports them."""
