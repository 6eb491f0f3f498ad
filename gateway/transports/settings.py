"""What may be set about streams and sockets."""

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    """Streams of results: WebSocket, server-sent events, multipart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_streams: int = Field(
        default=2_000,
        ge=1,
        description="Most sockets and streams at once in a process; more are refused (503).",
    )
    max_streams_per_client: int = Field(
        default=0,
        ge=0,
        description="Most of them for one peer address (429 beyond); 0 sets no bound. Behind a proxy every client has "
        "the proxy's address: leave it at 0 there.",
    )
    max_operations: int = Field(
        default=100,
        ge=1,
        description="Most operations at once on a socket; one more is answered with an error.",
    )
    keep_alive_ms: int = Field(
        default=15_000,
        ge=100,
        le=300_000,
        description="How long a stream may be silent before something is sent to keep it open.",
    )
    init_timeout_ms: int = Field(
        default=10_000,
        ge=100,
        le=300_000,
        description="How long a socket may take to send `connection_init`.",
    )
    retry_after_ms: int = Field(
        default=2_000,
        ge=0,
        le=300_000,
        description="When a client that lost its stream is told to come back; after a shutdown at a random moment up to twice as late.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Other origins whose pages may open sockets, such as `https://portal.example.com`. The page's own "
        "host always may, and so may what is no browser.",
    )
