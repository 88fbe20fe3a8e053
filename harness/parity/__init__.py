"""Proof that adapters compute the same: the oracle, the ladder, the diagnosis, the rules.

`reference` is a plain float64 network with one switch per convention and per known mistake;
`ladder` compares an adapter's trace with its; `diagnosis` searches the switches for the one that
explains a difference; `conformance` holds the rules of the contract, one function each.
"""
