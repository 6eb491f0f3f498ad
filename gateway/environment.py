"""Settings from environment variables, laid over those of a file."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from gateway.tomlfile import KeyPath

PREFIX = "CROSSDOCK_"
NOT_SETTINGS = frozenset({"CROSSDOCK_CONFIG"})
"""Variables of ours that say where the settings are."""
CODED = frozenset({"brokers", "plants", "systems", "ownership", "aliases"})
"""Tables whose keys are codes, to be kept as written."""


def overlay(
    data: Mapping[str, Any], environ: Mapping[str, str], names: tuple[str, ...]
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """The data with the environment's settings over it, and which variable said what.

    A variable that the data refers to (``{env = "CROSSDOCK_WMS_TOKEN"}``) is a secret, not a setting.
    """
    merged: dict[str, Any] = deepcopy(dict(data))
    skipped = NOT_SETTINGS | set(_references(data))
    variables: dict[KeyPath, str] = {}
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable not in skipped:
            path = _put(merged, variable[len(PREFIX) :].split("__"), _value(environ[variable]), names)
            variables[path] = variable
    return merged, variables


def _put(merged: dict[str, Any], segments: list[str], value: Any, names: tuple[str, ...]) -> KeyPath:
    """Set a value, matching each segment in any case with what is there already."""
    table: dict[str, Any] = merged
    path: list[str] = []
    for depth, segment in enumerate(segments):
        known = [*table, *(names if depth == 0 else ())]
        key = next((name for name in known if name.lower() == segment.lower()), None)
        key = key or (segment if depth == 1 and path[0] in CODED else segment.lower())
        path.append(key)
        if depth == len(segments) - 1:
            table[key] = value
        else:
            inner = table.get(key)
            table[key] = table = inner if isinstance(inner, dict) else {}
    return tuple(path)


def _value(text: str) -> Any:
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        # Left as text, so that the setting's own check names it.
        return text


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(name := value.get("env"), str):
            yield name
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
