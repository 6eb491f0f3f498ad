"""The enums of the model, made known to Strawberry once, before any input or type refers to them."""

import inspect
from enum import StrEnum

import strawberry

import schema.commerce
import schema.equipment
import schema.integration
import schema.logistics
import schema.material
import schema.production
import schema.quality
import schema.webhooks

MODULES = (
    schema.commerce,
    schema.equipment,
    schema.integration,
    schema.logistics,
    schema.material,
    schema.production,
    schema.quality,
    schema.webhooks,
)
"""Imported so that every enum of the model exists before it is looked for."""


def register() -> list[type[StrEnum]]:
    """Every enum of the model, as an enum of the graph."""
    found = [enum for enum in StrEnum.__subclasses__() if enum.__module__.startswith("schema.")]
    for enum in found:
        strawberry.enum(enum, description=inspect.getdoc(enum))
    return found


ENUMS = register()
