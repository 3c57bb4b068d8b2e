"""Photos, clips, looks, tracks and results, in a folder or in S3, and how long they stay."""
