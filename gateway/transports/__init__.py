"""How subscriptions reach their clients: WebSocket, server-sent events, multipart. All by one ``Subscribing``.

::

    /graphql ──HTTP──► GraphQLEndpoint ──a subscription, and Accept names a stream──► HttpStreams
                                                                            sse.py, multipart.py: how it is framed
             ──WebSocket──► Sockets ── one Socket a connection ── one Operation an id

Both know their streams by ``visits.Visits``: how many there may be, who is told when the gateway shuts down, and when
a client's credentials expire. Every operation goes through ``Engine.execute``; where that says that it is a
subscription, ``Subscribing.subscribe`` runs it.
"""
