"""What `import harness` gives to a notebook or a script: `harness/__init__.py` has its names.

The same plans, folders and resuming as the command, by `harness.running`. Nothing here is a second
way to compute anything.
"""
