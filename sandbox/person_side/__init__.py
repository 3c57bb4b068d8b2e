"""What persons do and see: `/sim/...`, used by the chat page and by tests."""
