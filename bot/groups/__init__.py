"""The bot in groups, and chats that move or end."""
