"""What an operator should know about the settings at every start."""

from gateway.config import Settings
from gateway.events.settings import kept_where, taken_from_anybody
from gateway.webhooks.settings import forgotten


def warnings_of(settings: Settings) -> list[str]:
    """What an operator should know about these settings at every start, one sentence each."""
    said = []
    if settings.auth == "none":
        said.append('auth = "none": whoever reaches this machine\'s loopback address may ask for everything.')
    else:
        said.append(
            f'auth = "upstream": nobody is asked who they are at {settings.host}; what stands in front must.'
        )
    said += kept_where(settings.events, settings.redis_url, settings.workers)
    said += taken_from_anybody(settings.systems)
    said += forgotten(settings.webhooks, kept=settings.database_url is not None)
    if not settings.systems:
        said.append("No systems are connected: every answer will be empty. Add a [systems.CODE] table.")
    return said
