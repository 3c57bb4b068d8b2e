"""The state of the sandbox: people, chats, messages, updates."""
