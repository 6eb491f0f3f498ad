"""How each system is spoken to. One folder per adapter; this table is the registration."""

ADAPTERS = {
    "rest": "sources.rest.source:Rest",
    "tryton": "sources.tryton.source:Tryton",
}
"""Name → "module:Class". Packages may add more under the entry-point group ``crossdock.adapters``."""
