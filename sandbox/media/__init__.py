"""Uploaded files: what is read from them, and where they are kept."""
