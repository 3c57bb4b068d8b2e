"""What there is: persons and the bot, their chats, and what they are told."""
