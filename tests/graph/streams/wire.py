"""A WebSocket client that sends what it is told, right or wrong, byte by byte."""

import json
import os
import socket
import struct
from typing import Any

from tests.graph.streams.served import Served

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PROTOCOL = "graphql-transport-ws"


class Wire:
    """One connection."""

    def __init__(
        self, server: Served, protocol: str | None = PROTOCOL, path: str = "/graphql", **headers: str
    ) -> None:
        self.socket = socket.create_connection((server.host, server.port), 5)
        head = f"GET {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        head += f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(head.encode() + b"\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self.file.readline().decode().strip():
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Go away without a word."""
        self.file.close()
        self.socket.close()

    def frame(self, kind: int, data: bytes, final: bool = True) -> None:
        """Send one frame."""
        mask = os.urandom(4)
        size = len(data)
        head = bytes([(0x80 if final else 0) | kind])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65_536:
            head += bytes([0x80 | 126]) + struct.pack("!H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.frame(TEXT, json.dumps(message).encode())

    def init(self, **payload: Any) -> None:
        """Begin, and be acknowledged."""
        self.say(type="connection_init", **({"payload": payload} if payload else {}))
        assert self.hear()["type"] == "connection_ack"

    def subscribe(self, id: str, query: str, **variables: Any) -> None:
        """Ask for an operation."""
        self.say(id=id, type="subscribe", payload={"query": query, "variables": variables})

    def read(self) -> tuple[int, bytes]:
        """The next frame: its kind and its data; (0, b"") where the connection has ended."""
        head = self.file.read(2)
        if len(head) < 2:
            return 0, b""
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.file.read(8))
        return head[0] & 0x0F, self.file.read(size)

    def hear(self, pings: bool = False) -> dict[str, Any]:
        """The next message, without pings; a close is ``{"close": code, "reason": …}``."""
        while True:
            kind, data = self.read()
            if kind == 0:
                return {"close": 1006, "reason": ""}
            if kind == CLOSE:
                self.frame(CLOSE, data[:2])
                return {"close": struct.unpack("!H", data[:2])[0], "reason": data[2:].decode()}
            if kind == TEXT:
                message: dict[str, Any] = json.loads(data)
                if pings or message["type"] != "ping":
                    return message

    def hears(self, count: int) -> list[dict[str, Any]]:
        """The next messages."""
        return [self.hear() for _ in range(count)]
