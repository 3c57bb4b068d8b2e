"""Sound to speech: how a face speaks a voice message."""
