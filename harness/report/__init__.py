"""Rows to what people read: terminal, Markdown, CSV, JSON. Pure functions; nothing trains here."""
