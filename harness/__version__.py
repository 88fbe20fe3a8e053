"""The version, in one place: the command, the page and the build read this line."""

__version__ = "0.1.0"
