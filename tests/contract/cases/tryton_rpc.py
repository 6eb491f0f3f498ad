"""The Tryton adapter against its sim, over JSON-RPC with a session."""

from dataclasses import replace
from typing import Any

from sources.tryton.sim import PASSWORD, USER
from tests.contract.cases import tryton


def settings(base_url: str, secret: str) -> dict[str, Any]:
    """The ``[systems.ERP]`` table."""
    auth = {"type": "basic", "username": USER, "password": {"value": secret}}
    return tryton.settings(base_url, secret) | {"auth": auth}


CASE = replace(tryton.CASE, name="tryton_rpc", settings=settings, secret=PASSWORD)
