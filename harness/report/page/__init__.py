"""Rows to one HTML file that needs no network: `document.html` is a pure function of a report."""
