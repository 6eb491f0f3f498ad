"""Subscriptions: from the event log to everyone who waits for a change.

::

    event log ──one tail a process──► hub.py      which objects is it about, who may want to hear of them
                                        │
                                        ▼ a room for each class of objects and each set of rights
                                      room.py     the object is read once, not older than the event; index.py finds its groups
                                        │
                                        ▼ a group for all who ask the same document with the same variables
                                      group.py    the document is executed once, its bytes are everybody's
                                        │
                                        ▼ a bounded queue each
                                      subscriber.py ──► transports (gateway.subscribing)

    engine.py      begins one: checks it, tells the present state or what was missed (past.py), then lets it join the hub
    pipeline.py    much at once, but one after the other for the same object, and handed on in the order of the log
    topics.py      what a request watches; standing.py who asks; health.py the systems' health

Every message has a cursor. What is told after a cursor is exactly what the log holds after it, in its order: nothing is
lost between the present state and the first change, and nobody is passed over in silence. Who is too slow, or whose
events come faster than they can be told, is ended with EVENTS_GAP and goes on from the last cursor.
"""
