"""Changes as they happen: how an event comes in, is kept, and reaches everyone who waits for it.

::

    a system ──POST /ingest/{system}──┐
    a system ◄──asked for changes─────┤ intake: what does it say, is it new, is it late, what must be fetched for it
    a broker ─────────────────────────┘   │
                                          ▼ caches let go of what it touches (gateway.cache), then
                                      log.py   EventLog: append, read after a cursor, wait  (SQLite, or Redis Streams)
                                          │
              ┌───────────────────────────┼──────────────────────────┐
              ▼                           ▼                          ▼
        subscriptions               partner webhooks             timelines
        the subscriber's own        the same document,           BusinessEvent in the graph
        document, read live         signed, retried

An event carries keys, what is shown is read live from the owners. What was accepted is in the log before it is
acknowledged; whoever reads the log after a cursor misses nothing, or is told that the cursor is too old.

- ``log`` what every event log promises; ``sqlite`` (with ``tables``) and ``redis`` (with ``scripts``) keep it
- ``grouping`` appends that come together, ``recent`` the last events for all who follow, ``codec`` events as bytes
- ``contracts`` and ``facts`` what each canonical event must say, ``asyncapi`` the same as a document for others
- ``settings`` and ``making`` which log a gateway has, and that it is opened, trimmed and closed
"""
