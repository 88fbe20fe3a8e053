"""Published numbers: registered as data, rerun as trials, judged from rows.

`model` is what a claim is, `claim_plan` which trials it needs, `samples` what a trial says about
its numbers, `judge` the verdict. Nothing here trains: verdicts come from stored samples.
"""
