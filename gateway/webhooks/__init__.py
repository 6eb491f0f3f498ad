"""Partner webhooks: a subscription's results as signed POSTs, kept until they are delivered.

::

    mutations ──► service.py ──► store.py   webhooks and deliveries (SQLite, or PostgreSQL)
                                   ▲  │ due: the oldest undelivered of every subject
    the partner's own document     │  ▼
    subscribed from the cursor ──► delivering.py ──► sending.py ──► the partner
    a result and the new cursor               signing.py  Standard Webhooks, two live secrets
    are kept in one transaction               target.py   which addresses may be called at all

A result is kept together with the cursor that it moves the webhook to: after a crash the subscription goes on from
there, so none is lost and none is kept twice. It is delivered at least once, always under the same id; results about
one subject in their order, one subject never waiting for another.
"""
