"""Pictures in, pictures out; nothing here talks to a chat."""
