"""The protocol as data: what is trained, on what, from where and for how long.

`data`, `network` and `training` hold the frozen, validated parts, `model` the whole experiment,
`loading` reads it from TOML, `catalogue/` has the experiments that come with samestep.
"""
