"""Shipments in the words of GS1: EPCIS 2.0 events (JSON-LD) and the simple query over HTTP.

``identifiers`` writes SSCCs, lots, places and parties as URIs, ``vocabulary`` what happened in the words of the CBV,
``events`` one event of the log as an ObjectEvent, ``documents`` the documents around them; ``asking`` reads what is asked
for, ``service`` answers ``GET /epcis/events``. What is not known is left out; nothing is made up.
"""
