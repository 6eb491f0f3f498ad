"""The declarative adapter against its sim: keys as a comma list, paging by offset."""

from typing import Any

from sources.rest.sim import App, make_app
from sources.rest.source import Rest
from tests.contract.case import Case

SECRET = "rest-secret-91c2"
ROWS = [{"no": f"P{n:03}", "title": f"Party {n}"} for n in range(1, 24)]
COMMAS = {"path": "/parties", "keys": {"param": "no", "join": ","}}
OFFSET = {
    "path": "/parties",
    "paging": {"style": "offset", "size": "limit", "offset": "offset", "total": "total"},
}


def sim() -> App:
    """One table of parties."""
    return make_app({"parties": ("no", ROWS)}, SECRET)


def rest_case(name: str, read: dict[str, Any], search: dict[str, Any], **case: Any) -> Case:
    """A case in which keys and pages travel as these tables say."""

    def settings(base_url: str, secret: str) -> dict[str, Any]:
        return {
            "code": "JSON",
            "adapter": "rest",
            "kind": "ERP",
            "base_url": base_url,
            "auth": {"type": "bearer", "token": {"value": secret}},
            "spellings": {"party": {"case": "lower", "send_case": "upper"}},
            "rows": {"party": {"Party": {"code": {"path": "no", "key": "party"}, "name": "title"}}},
            "reads": {"parties": {"row": "party", "parts": ["Party"], "rows": "rows", **read}},
            "searches": {"list": {"read": "parties", "rows": "rows", **search}},
        }

    return Case(
        name=name,
        source=Rest,
        sim=sim,
        settings=settings,
        secret=SECRET,
        read="parties",
        keys=("p003", "p001", "p023", "p010", "p007"),
        unknown=lambda n: f"x{n}",
        search="list",
        total=len(ROWS),
        page=5,
        **case,
    )


CASE = rest_case("rest", COMMAS, OFFSET)
