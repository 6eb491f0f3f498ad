"""The declarative adapter against its sim: keys in a JSON body, paging by cursor."""

from tests.contract.cases.rest import rest_case

CASE = rest_case(
    "rest_body",
    {"method": "POST", "path": "/parties:query", "keys": {"body": "no"}},
    {
        "method": "POST",
        "path": "/parties:query",
        "body": {},
        "paging": {
            "style": "cursor",
            "in": "body",
            "size": "limit",
            "cursor": "cursor",
            "next": "cursor",
            "total": "total",
        },
    },
)
