"""Content Credentials (C2PA): signed statements in results about how they were made."""
