"""Texts and keyboards: what may stand in them, and in which form the server keeps it."""
