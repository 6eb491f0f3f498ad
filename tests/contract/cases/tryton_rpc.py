"""Tryton over JSON-RPC with a user's session."""

from dataclasses import replace
from typing import Any

from sources.tryton.sim import PASSWORD, USER
from tests.contract.cases import tryton


def _settings(base_url: str, secret: str) -> dict[str, Any]:
    auth = {"type": "basic", "username": USER, "password": {"value": secret}}
    return tryton.CASE.settings(base_url, secret) | {"auth": auth}


CASE = replace(tryton.CASE, name="tryton_rpc", settings=_settings, secret=PASSWORD)
