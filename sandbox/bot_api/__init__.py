"""The Bot API: what a bot calls."""
