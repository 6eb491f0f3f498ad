"""Tryton 8.2 (production, stock, lots, quality, sales, purchases): a real open-source ERP.

Spoken through either of its own interfaces, by the kind of credentials given:

* ``auth = {type = "bearer", token = …}``: REST, ``GET <base_url>/rest/model/<model>``; the token is the key of a
  user application (application ``rest``, validated).
* ``auth = {type = "basic", username = …, password = …}``: JSON-RPC, ``POST <base_url>/rpc/``, with a session that is
  opened on first use and renewed when the server ends it.

``base_url`` names the database: ``http://erp.example:8000/mfg``.

Limits: after five or six bad log-ins Tryton answers 429 without Retry-After, so a refused log-in is not repeated
for half a minute. It keeps no connection open, and one
process serves about 80 calls a second. It has no change feed but polling.

Keys. A plant is a warehouse by its code. Tryton numbers customer and supplier shipments apart, so both have a
shipment 1: ours carry a prefix (``shipment_prefixes``). Order and purchase lines have no number of their own: theirs
is Tryton's record id. Records without a number (drafts) cannot be addressed and are not shown.

Stock is what Tryton itself computes: the cache of the last closed period, and the done moves since then.

With the module production_work Tryton is the shop floor's book too, so orders and operations come with their
execution; where a MES is connected, the MES is asked first.

Not covered: writing, internal and return shipments, work cycles as reports, supplier lots and expiry dates
(modules ``stock_lot_sled`` and friends), dates of release (Tryton does not keep them), costs.
"""
