"""A client that does not read what it is sent: how long it is waited for."""

import asyncio
from typing import Any, ClassVar

LAST_SECONDS = 2.0
"""How long a client that does not read is waited for when the server shuts down."""


class Unread(asyncio.Protocol):
    """Mixed into a protocol of uvicorn: ends a connection whose client has read nothing for ``unread_seconds`` while
    there is more to send than the transport holds. A client that reads slowly is waited for.
    """

    unread_seconds: ClassVar[float] = 30.0
    transport: asyncio.Transport

    _unread_timer: asyncio.TimerHandle | None = None
    _patience: float | None = None

    def pause_writing(self) -> None:
        """The transport holds as much as it may."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Enough of it was read."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def given_up(self) -> None:
        """End the connection. Closing in order would wait for the same client again."""
        self.transport.abort()

    def hurry(self) -> None:
        """The server shuts down: who does not read soon is not waited for."""
        self._patience = min(LAST_SECONDS, self.unread_seconds)
        if self._unread_timer is not None:
            self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        self._stop_waiting()
        size = self.transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._unread_timer = loop.call_later(self._patience or self.unread_seconds, self._look, size)

    def _stop_waiting(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _look(self, before: int) -> None:
        self._unread_timer = None
        if self.transport.get_write_buffer_size() < before:
            self._wait_for_reader()
        else:
            self.given_up()


def drain(app: Any) -> bool:
    """Tell an application whose streams do not end by themselves that the server shuts down; whether it has any."""
    told = getattr(app, "drain", None)
    if told is None:
        return False
    told()
    return True
