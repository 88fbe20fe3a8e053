"""The protocol as data: what is trained, on what, from where and for how long.

`model` holds the frozen, validated classes, `loading` reads them from TOML, `catalogue/`
holds the experiments that come with samestep, one file each.
"""
