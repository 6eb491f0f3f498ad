"""The cached loaders: two tiers under every read and list of every system, and what keeps them honest.

::

    loaders ─ peek ─► Memory (L1, this process)
       └──── call ──► Shelving: what is fresh enough?      policy.py   how fresh, how long, by system and type
                        ├─ Memory, then Store (L2)          memory.py   L1: bounded in entries and bytes
                        ├─ Flights: one call for all who    redis.py    L2: Redis, shared by all workers
                        │           wait for the same keys  flights.py  batches over operations, one flight a key
                        └─ the guard, the system            tags.py     what a row speaks of; invalidation by it

An entry knows when the call that brought it was *sent*: its age is never understated. Errors are never kept; that a
system does not know a key is, briefly.
"""
