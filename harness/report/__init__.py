"""What people read of a run: terminal, Markdown, CSV, JSON, pages, charts. Nothing trains here."""
