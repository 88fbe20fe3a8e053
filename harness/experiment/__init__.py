"""The protocol as data: what is trained, on what, from where and for how long.

`model` has the whole experiment. Its parts are in `data` (with `datasets` and `splits`),
`network`, `initializers`, `random_generator`, `training` (with `losses`, `optimizers` and
`stopping`) and `native`. `consistency` checks the rules between the parts, `loading` reads TOML
files, `digests` names what is computed, and `proof_length` shortens a protocol for a proof.
`catalogue/` has the experiments that come with samestep.
"""
