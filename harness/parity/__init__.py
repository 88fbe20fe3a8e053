"""Proof that adapters compute the same: the oracle, the ladder, the diagnosis, the rules.

`reference` is a plain float64 network, the oracle; `mistakes` is the same network with one switch
per known mistake. A `trace` is what a short run leaves: `rungs` compares an adapter's with the
oracle's, `rounding` measures how far rounding alone goes, and `ladder` gives the judgement.
`diagnosis` searches all hypotheses for a mistake that explains a difference. `rules` holds the
rules of the contract, one function each, and `protocols` the small protocols of a check.
"""
