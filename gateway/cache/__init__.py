"""The cached loaders: two tiers under every read and list of every system, and what keeps them honest.

::

    loaders ─ peek ─► Memory (L1, this process)
       └──── call ──► CachedRead: what is fresh enough?   reading.py, for lists pages.py; how fresh: policy.py
                        ├─ Memory, then RedisStore (L2)    memory.py (sizes.py) · redis.py (codec, link, tail, scripts,
                        │                                  address: bytes, connection, stream, Lua, the URL)
                        ├─ Flights: one call for all who   flights.py in a process, leases.py among all workers
                        │           wait for the same keys
                        └─ the crosswalk, the guard, the system

    Marks: what was invalidated lately  marks.py, by what a row speaks of: tags.py
    Caching: all of it as a layer       layer.py, over the contract of every store: store.py

An entry knows when the call that brought it was *sent*: its age is never understated. Errors are never kept; that a
system does not know a key is, briefly.
"""
