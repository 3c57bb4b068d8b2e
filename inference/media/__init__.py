"""Photos and clips: read safely, normalised, written."""
