"""Telegram: updates come in and messages go out; everything between them lies in Redis.

Of our own rooms it knows `jobs` and no other. It never opens a picture.
"""
