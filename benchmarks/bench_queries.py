"""CPU of the gateway per request, over the simulated plant in a process of its own: keeping nothing, and keeping.

    python -m benchmarks.bench_queries [requests]

Prints, for a few typical queries: CPU milliseconds of the gateway process a request (from /proc, so the simulated
systems do not count), the median time to answer, and the upstream calls. Machines are noisy: compare rows of one run.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

QUERIES = {
    "single order, everything": """{ productionOrder(id: "po:1710/1000040") { number status item { description }
        planning { quantity { value unit } dueDate } execution { percentComplete } posting { fullyPosted }
        operations { number status } outputs { number status } shipments { number status }
        checkpoints { kind state } sources { system { code } group outcome } } }""",
    "page of 50 orders, 5 hops": """{ productionOrders(first: 50, filter: {plants: ["plant:1710"]}) { nodes {
        number item { number description } execution { percentComplete } operations { number actual { good { value } } }
        outputs { number } shipments { number } } } }""",
    "stock of one item": """{ inventoryPositions(filter: {items: ["item:FG-1050"]}) { nodes {
        plant { code } lot { number } book { value unit } physical { value } unexplained { value } verdict } } }""",
}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def ask(url: str, body: bytes) -> float:
    """Seconds that one answer took; refuses answers with errors."""
    began = time.perf_counter()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        data = json.load(answer)
    if "errors" in data:
        raise SystemExit(f"unexpected errors: {data['errors'][:1]}")
    return time.perf_counter() - began


def upstream(ports: list[int], reset: bool = False) -> int:
    """Calls the simulated systems have counted."""
    total = 0
    for port in ports:
        path = "/__stats/reset" if reset else "/__stats"
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST" if reset else "GET")
        with urllib.request.urlopen(request) as answer:
            total += 0 if reset else json.load(answer)["requests"]
    return total


def main(requests: int) -> None:
    """With every value read from its system, and as the demo keeps them."""
    for title, kept in (("nothing kept", {"CROSSDOCK_CACHE__MAX_ENTRIES": "0"}), ("kept", {})):
        measure(title, requests, os.environ | kept)


def measure(title: str, requests: int, environ: dict[str, str]) -> None:
    """Start the demo, ask, print."""
    crossdock = str(Path(sys.executable).with_name("crossdock"))
    command = [crossdock, "demo", "--port", "0", "--systems-port", "0", "--speed", "0"]
    demo = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
    )
    try:
        if demo.stdout is None:
            raise SystemExit("no output from the demo")
        said = ""
        while "Ctrl-C" not in said:
            line = demo.stdout.readline()
            if not line:
                raise SystemExit(f"the demo did not start:\n{said}")
            said += line
        url = re.search(r"http://\S+/graphql", said)
        ports = [
            int(port)
            for port in re.findall(r"^  [A-Z0-9_]+ +[A-Z]+ +http://127\.0\.0\.1:(\d+)", said, re.MULTILINE)
        ]
        if url is None or not ports:
            raise SystemExit(f"cannot read the demo's greeting:\n{said}")
        print(f"{title:<28} {'CPU ms/request':>15} {'median ms':>10} {'upstream calls':>15}")
        for name, query in QUERIES.items():
            body = json.dumps({"query": query}).encode()
            ask(url[0], body)
            upstream(ports, reset=True)
            before = cpu_seconds(demo.pid)
            times = [ask(url[0], body) for _ in range(requests)]
            spent = (cpu_seconds(demo.pid) - before) / requests * 1000
            calls = upstream(ports) / requests
            print(f"{name:<28} {spent:>15.1f} {statistics.median(times) * 1000:>10.1f} {calls:>15.1f}")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(20)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
