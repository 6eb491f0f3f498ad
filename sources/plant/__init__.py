"""The simulated plant: one coherent, seeded, ticking world, shown by eight systems in eight dialects.

`world/` is the truth; `dialects/` are the HTTP servers that each tell their part of it the way such systems
do, with their own keys, units, clocks, paging, credentials and errors. `systems.py` lists them by code.
"""
