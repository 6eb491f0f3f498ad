"""The declarative adapter against its sim: one call a key with 404 for none, paging by Link header."""

from tests.contract.cases.rest import rest_case

CASE = rest_case(
    "rest_single",
    {"path": "/parties/{code}", "key": ["code:party"], "rows": "", "max_keys": 20},
    {"path": "/parties", "paging": {"style": "link", "size": "limit", "total": "total"}},
    calls_per_batch=20,
)
