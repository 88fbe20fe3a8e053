"""Run what was requested: what the command and a notebook share.

A request becomes a plan, the plan is run into its folder, and progress is said on the way. Errors
are exceptions here; the command turns them into exit codes.
"""
