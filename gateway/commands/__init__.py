"""Writes on their way to their owners::

    graph ──> service ──> store <── running ──> carrying ──> owners ──> the system
              checks,      rows      due rows,   one write,   reads and sends
              keys         & steps   leases      one step     through the catalog

A write is accepted when its row is committed. From then on it is carried, in order with the others on its object, by
whichever worker holds its lease, until it is applied, refused, given up, or waits visibly for a person. Before anything is
sent the row says so, and so a worker that dies leaves a row whose end is unknown, never one that was never sent.

Why not DBOS, which the design names: what is asked here is one row with exact states, strict order per object over any
number of retries, and one transaction that holds the write, its idempotency key and its place in the queue. DBOS keeps its
own tables beside ours, so that this would be two transactions; its queues keep no order within a second, and poll; it is
one instance a process, with five threads and 1.3 s of CPU at import; its state is pending, done or failed, so the states
people see would live here all the same. The machine below is smaller than the glue would be.
"""
