"""uvicorn's WebSocket, with the order and the patience it lacks by itself.

``websockets-sansio`` rather than ``wsproto``: it costs less CPU a message (``python -m benchmarks.sockets``), it holds a
frame to the largest size before it is there, and it is what uvicorn keeps. What it lacks is here: a handshake that is
none waits for ever; a text that is not UTF-8 is a matter of the protocol above, which has a code for it; a client that
does not read keeps the connection, and the closing handshake, for ever; on shutdown the application is not asked.
"""

import logging
from typing import Any, ClassVar

import structlog
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.unread import Unread, drain

TRY_AGAIN_LATER = 1013
log = structlog.get_logger("crossdock.server")
# A line for every socket that opens, with the query string in it: the application writes its own.
quiet = logging.getLogger("crossdock.sockets")
quiet.setLevel(logging.WARNING)


class GuardedSocket(Unread, WebSocketsSansIOProtocol):
    """A WebSocket that ends when it must. ``close_seconds`` is how long a client may take to answer a close."""

    close_seconds: ClassVar[float] = 3.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = self.close_seconds
        self.logger = quiet

    def data_received(self, data: bytes) -> None:
        """Refuses what is no handshake; it has come as a whole."""
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Hands a text that is not UTF-8 over as bytes: the application closes with a code of its own."""
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Says what is wrong with a frame, and reads on for a moment: closing on unread data would reset the
        connection, and the client might never read why.
        """
        failed = self.conn.close_sent
        if self.close_sent or failed is None:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": failed.code, "reason": failed.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_seconds, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        """A close does not wait behind what the client has not read."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.close":
            # Whatever the client does, the connection is gone after that.
            self.loop.call_later(self.close_seconds, self.transport.abort)

    def given_up(self) -> None:
        """Say why, in case that the client reads on, and end the connection."""
        log.warning("a client did not read what it was sent; its socket is closed")
        if not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": TRY_AGAIN_LATER})
            self.conn.send_close(TRY_AGAIN_LATER, "You do not read what you are sent.")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.disconnected = True
        self.writable.set()
        self.stop_keepalive()
        self.transport.close()
        self.loop.call_later(self.close_seconds, self.transport.abort)

    def shutdown(self) -> None:
        """Lets the application end its sockets; ends by itself those it knows nothing of."""
        self.hurry()
        if self.close_sent or not self.handshake_complete or not drain(self.app):
            super().shutdown()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
