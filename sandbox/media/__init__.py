"""Pictures, clips and stickers: what the server makes of the bytes, and where it keeps them."""
