"""The protocol as data: what is trained, on what, from where and for how long.

`data`, `network`, `initializers`, `random_generator` and `training` hold the parts, and `model`
the whole experiment. `consistency` checks the rules between the parts, `loading` reads TOML
files, `digests` names what is computed. `catalogue/` has the experiments that come with samestep.
"""
