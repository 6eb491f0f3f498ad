"""The declarative adapter: the server of the smallest adapter, connected by a table instead of Python."""

from typing import Any

from sources.rest.source import Rest
from tests.contract.case import Case
from tests.contract.cases.tiny import PLANTS, SECRET, server


def _settings(base_url: str, secret: str) -> dict[str, Any]:
    return {
        "code": "JSON",
        "adapter": "rest",
        "kind": "ERP",
        "base_url": base_url,
        "auth": {"type": "bearer", "token": {"value": secret}},
        "rows": {"plant": {"Party": {"code": "code", "name": "name"}}},
        "reads": {
            "plants": {
                "row": "plant",
                "parts": ["Party"],
                "path": "/plants",
                "keys": {"param": "codes", "join": ","},
                "rows": "rows",
                "max_keys": 200,
            }
        },
        "searches": {
            "all_plants": {
                "read": "plants",
                "path": "/plants",
                "rows": "rows",
                "paging": {"style": "offset", "size": "size", "offset": "from", "total": "total"},
            }
        },
    }


CASE = Case(
    name="rest",
    source=Rest,
    sim=lambda: server,
    settings=_settings,
    secret=SECRET,
    read="plants",
    keys=tuple(PLANTS)[:5],
    unknown=lambda n: f"X{n}",
    search="all_plants",
    total=len(PLANTS),
)
