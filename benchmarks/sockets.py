"""CPU a message of the WebSocket implementations that uvicorn has, in the server's process.

    python -m benchmarks.sockets [messages]

A server in a process of its own for each implementation that is installed (``pip install wsproto`` for that one), and
for ours (``gateway.sockets``); the application pushes messages of 300 bytes to one client that reads, then answers
messages one by one. Rounds are interleaved; printed is the median of the server's CPU time (user and system, from /proc)
in microseconds a message.
"""

import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
ROUNDS = 5
SIZE = 300
SERVER = """
import sys, uvicorn
ws, port, count, size, deflate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "deflate"
if ws == "gateway":
    from gateway.sockets import GuardedSocket as ws
text = '{"id":"1","type":"next","payload":{"data":{"x":"' + "abcdefgh" * 40
text = text[:size]
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(count):
        await send({"type": "websocket.send", "text": text})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
uvicorn.Server(uvicorn.Config(app, port=port, loop="uvloop", lifespan="off", ws=ws, log_config=None, access_log=False,
    ws_per_message_deflate=deflate, ws_ping_interval=None)).run()
"""
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n"
)
FRAME = SIZE + 4
"""Bytes of a message with its head."""


def cpu(pid: int) -> float:
    """Seconds of CPU of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def take(connection: socket.socket, size: int) -> None:
    """Read so many bytes."""
    while size > 0:
        size -= len(connection.recv(min(size, 1 << 20)))


def connected(port: int, deflate: bool) -> socket.socket:
    """A socket after its handshake."""
    for _ in range(200):
        try:
            connection = socket.create_connection(("127.0.0.1", port), 20)
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        more = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
        connection.sendall(HANDSHAKE.format(more).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        return connection
    raise SystemExit("the server did not listen")


def round_of(ws: str, count: int, deflate: bool) -> tuple[float, float]:
    """Microseconds of CPU a message: pushed, and answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        SERVER,
        ws,
        str(port),
        str(count),
        str(SIZE),
        "deflate" if deflate else "",
    ]
    process = subprocess.Popen(command)
    try:
        connected(port, deflate=False).close()
        time.sleep(0.5)
        before = cpu(process.pid)
        with connected(port, deflate) as connection:
            if deflate:
                connection.settimeout(1)
                try:
                    while connection.recv(1 << 20):
                        continue
                except TimeoutError:
                    return (cpu(process.pid) - before) / count * 1e6, float("nan")
            take(connection, count * FRAME)
            pushed = (cpu(process.pid) - before) / count
            frame = bytes([0x81, 0x80 | 126]) + SIZE.to_bytes(2, "big") + bytes(4) + b"x" * SIZE
            before = cpu(process.pid)
            for _ in range(count // 4):
                connection.sendall(frame)
                take(connection, FRAME)
            answered = (cpu(process.pid) - before) / (count // 4)
        return pushed * 1e6, answered * 1e6
    finally:
        process.kill()
        process.wait()


def main(count: int = 40_000) -> None:
    """Measure and print."""
    kinds = [("websockets-sansio", False)]
    kinds += [("wsproto", False)] if importlib.util.find_spec("wsproto") else []
    if importlib.util.find_spec("gateway") and importlib.util.find_spec("structlog"):
        kinds.append(("gateway", False))
    kinds.append(("websockets-sansio", True))
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in kinds:
            found[kind].append(round_of(kind[0], count, kind[1]))
    for (ws, deflate), rounds in found.items():
        pushed, answered = (statistics.median(column) for column in zip(*rounds, strict=True))
        name = ws + (" with deflate" if deflate else "")
        print(f"{name:30} {pushed:6.1f} us pushed {answered:6.1f} us answered")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
