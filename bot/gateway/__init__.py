"""In and out of Telegram: what comes is kept at once, what goes out takes its turn."""
