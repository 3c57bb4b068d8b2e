"""Formatting of texts and keyboards."""
