"""A report to one HTML file that needs no network: a pure function of the report."""
