"""Telegram: updates come in and messages go out; everything in between is stored in Redis.

Of our packages, it imports only `jobs`. It never opens a picture.
"""
