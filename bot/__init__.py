"""Telegram: updates come in and messages go out; everything between them lies in Redis.

Of our packages, it imports only `jobs`. It never opens a picture.
"""
