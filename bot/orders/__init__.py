"""Orders: placing them, their status cards, and the delivery of their videos."""
