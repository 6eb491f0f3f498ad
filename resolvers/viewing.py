"""Who asks, and what they may do."""

from dataclasses import dataclass

from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import Edge, expose
from schema.base import OptionalRef, Plant, Refs
from schema.commerce import Party


@dataclass(slots=True)
class Viewer:
    """The one who asks."""

    subject: str
    scopes: tuple[str, ...]
    plant_codes: Refs
    party_code: OptionalRef = None


async def viewer(info: Info) -> Viewer:
    """The one who asks, and what they may see and do."""
    ctx: Context = info.context
    actor = ctx.actor
    plants = tuple(ctx.systems.plants) if actor.plants is None else actor.plants
    return Viewer(actor.subject, actor.scopes, plants, actor.party)


def install() -> None:
    """Put the viewer into the graph."""
    expose(
        Viewer,
        Edge("plants", Plant, each="plant_codes"),
        Edge("party", Party, ("party_code",), stub=True),
    )
