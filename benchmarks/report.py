"""The table: rows against their targets, and what they were measured on."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = (
    "graphql-core",
    "strawberry-graphql",
    "aiodataloader",
    "aiohttp",
    "httpx2",
    "msgspec",
    "orjson",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long one run takes, how often both sides take turns, and how far the memory is tried."""

    seconds: float
    rounds: int
    documents: int
    requests: int
    memory_seconds: float


QUICK = Effort(0.7, 1, 2_600, 1_000_000, 10.0)
FULL = Effort(3.0, 3, 10_000, 1_000_000, 60.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured; ``met`` is None where it could not be."""

    work: str
    against: str
    measured: str
    target: str
    met: bool | None
    detail: str = ""
    command: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        met = {True: "yes", False: "**no**", None: "-"}[self.met]
        return (self.work, self.against, self.measured, self.target, met, self.detail, self.command)


HEADS = ("work", "against", "measured", "at least", "met", "detail (CPU a request, medians)", "again by")


def table(rows: Sequence[Row]) -> str:
    """The rows as a table of Markdown, which also reads well on a terminal."""
    cells = [HEADS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def page(rows: Sequence[Row], arguments: str, seconds: float, further: Sequence[tuple[str, str]]) -> str:
    """The whole page of results; ``further`` are other measurements, by command, as they printed themselves."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = [
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {_commit()}, in {seconds:.0f} s, by "
        f"`{arguments}`.",
        f"Machine: {_cpu()}, {os.cpu_count()} CPUs, {memory:.1f} GiB; load average at the end "
        f"{os.getloadavg()[0]:.1f}. {platform.system()} {platform.release()}.",
        f"{platform.python_implementation()} {platform.python_version()}; "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + ".",
    ]
    parts = ["# Results", *facts, HOW, table(rows)]
    parts += [f"## `{command}`\n\n```\n{text.rstrip()}\n```" for command, text in further]
    return "\n\n".join(parts) + "\n"


HOW = """\
Written by `make bench`; do not edit. What is compared ran in turns in the same run; ratios are medians over the rounds.
CPU is user and system time of the whole process tree of the server from `/proc`, or of the process itself where there
is no server; the plant and the load do not count. *Cold* is `cache.max_entries = 0` and no Redis: nothing is kept,
requests under way at the same time still share calls. It is not "keys that never repeat", because then a cache would
still be written; but neighbouring requests ask for other orders and other pages, so the same question is never under way twice.
*Warm* is everything asked for once before and kept in L1. The floor is uvicorn with uvloop and httptools and a static
answer of the same size. The baseline is `benchmarks/baseline.py`. The test `tests/unit/benchmarks` holds the answers
of gateway and baseline against each other."""
