"""CPU of the HTTP path: what a request costs beyond bare uvicorn with a static answer of the same size.

    python benchmarks/request_path.py [requests] [rounds]

Two servers in processes of their own, uvicorn with uvloop and httptools in both: the demo's gateway with a cache that
lasts an hour, and one that sends a fixed answer without reading the question. Rounds of both are interleaved, 16
connections kept alive; printed is the median CPU time of the server process a request (user and system, from /proc),
in microseconds, and its ratio to the static answer in the same round. The access log is on, as JSON lines, into
/dev/null.
"""

import json
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 16
TICK = os.sysconf("SC_CLK_TCK")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
CARD = """query Card($id: ID!) { productionOrder(id: $id) { number status item { number description }
  planning { quantity { value unit } dueDate priority } execution { good { value unit } percentComplete }
  posting { received { value unit } fullyPosted } operations { number description status workCenter { code } } } }"""
ORDER = {"id": "po:1710/1000040"}
STATIC = """
import sys, uvicorn
body = b"x" * int(sys.argv[2])
start = {"type": "http.response.start", "status": 200, "headers": [
    (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]}
async def app(scope, receive, send):
    await send(start)
    await send({"type": "http.response.body", "body": body})
uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off",
    log_config=None, access_log=False)).run()
"""


def post(query: str, **more: object) -> bytes:
    """A request as a browser or a service writes it."""
    body = json.dumps({"query": query, **more}).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: crossdock\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
        f"Accept-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def cpu(pid: int) -> float:
    """Seconds of CPU of a process so far: of its main thread in nanoseconds where the kernel tells, else in ticks."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def receive(connection: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    got = connection.recv(262_144)
    while (end := got.find(b"\r\n\r\n")) < 0:
        got += connection.recv(262_144)
    found = LENGTH.search(got, 0, end)
    size = end + 4 + (int(found[1]) if found else 0)
    while len(got) < size:
        got += connection.recv(262_144)
    return got


class Server:
    """A server process and where it listens; it is up when this is made."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.connect().close()

    def connect(self) -> socket.socket:
        """A connection of its own."""
        return socket.create_connection(("127.0.0.1", self.port))

    def ask(self, request: bytes) -> bytes:
        """One answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return receive(connection)

    def cost(self, request: bytes, requests: int) -> float:
        """CPU microseconds a request, each connection asking again as soon as it has its answer."""
        connections = [self.connect() for _ in range(CONNECTIONS)]
        poll, by_number = select.epoll(), {connection.fileno(): connection for connection in connections}
        for connection in connections:
            poll.register(connection, select.EPOLLIN)
        before, sent, got = cpu(self.process.pid), CONNECTIONS, 0
        for connection in connections:
            connection.sendall(request)
        while got < sent:
            for number, _ in poll.poll():
                receive(by_number[number])
                got += 1
                if sent < requests:
                    by_number[number].sendall(request)
                    sent += 1
        spent = cpu(self.process.pid) - before
        poll.close()
        for connection in connections:
            connection.close()
        return spent / sent * 1e6


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, ended afterwards."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@contextmanager
def gateway(**environ: str) -> Iterator[Server]:
    """The demo's gateway; what it reads lasts an hour."""
    lasting = json.dumps({"*": {"max_age": 3600, "negative_max_age": 3600}})
    settings = {"CROSSDOCK_CACHE__TYPES": lasting, "CROSSDOCK_LOG_FORMAT": "json", **environ}
    command = [str(Path(sys.executable).with_name("crossdock")), "demo", "--port", "0", "--systems-port", "0"]
    with ended(
        subprocess.Popen(
            [*command, "--speed", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **settings},
        )
    ) as process:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(f"the demo did not start:\n{said}")
            said += line
        url = re.search(r"http://\S+/graphql", said)
        yield Server(process, urlsplit(url[0]).port or 0 if url else 0)


@contextmanager
def static(size: int) -> Iterator[Server]:
    """Bare uvicorn with an answer of a size."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ended(
        subprocess.Popen(
            [sys.executable, "-c", STATIC, str(port), str(size)], stderr=subprocess.DEVNULL, text=True
        )
    ) as process:
        for _ in range(400):
            try:
                yield Server(process, port)
                return
            except ConnectionRefusedError:
                time.sleep(0.05)


def main(requests: int, rounds: int) -> None:
    """Measure and print."""
    before = "--before" in sys.argv
    warm = {} if before else {"CROSSDOCK_CACHE__ANSWERS_MAX_BYTES": "0"}
    hit, typename = post(CARD, variables=ORDER), post("{ __typename }")
    with gateway() as kept, gateway(**warm) as plain:
        answer = kept.ask(hit)
        if b'"errors"' in answer or b"max-age" not in answer.lower():
            raise SystemExit(f"not an answer to keep: {answer[:2000]!r}")
        size = len(answer.partition(b"\r\n\r\n")[2])
        with static(size) as large, static(31) as small:
            cases = (
                (
                    f"response-cache hit ({size} bytes)",
                    kept,
                    hit,
                    large,
                    max(requests // 20, 96) if before else requests,
                ),
                ("{ __typename }", plain, typename, small, requests),
                ("warm single order, answers not kept", plain, hit, large, max(requests // 60, 48)),
            )
            print(f"{'':<40} {'CPU µs':>8} {'static':>8} {'ratio':>6}")
            for name, server, request, bare, count in cases:
                server.cost(request, count // 4), bare.cost(request, count // 4)
                pairs = [(server.cost(request, count), bare.cost(request, requests)) for _ in range(rounds)]
                ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
                ratio = statistics.median(one / other for one, other in pairs)
                print(f"{name:<40} {ours:>8.1f} {theirs:>8.1f} {ratio:>6.2f}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    main(*(numbers + [6_000, 5][len(numbers) :]))
