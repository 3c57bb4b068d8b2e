"""Telegram: incoming updates are stored first, outgoing messages are rate-limited."""
