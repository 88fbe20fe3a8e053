"""A protocol handed to any program as files, and the program's answer read and judged."""
