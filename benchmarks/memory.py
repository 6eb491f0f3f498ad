"""Memory: many distinct documents, then many requests. Neither may go on filling the process."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import plant
from benchmarks.gateway import WARM, write_config
from benchmarks.http_path import WARM_SINGLES
from benchmarks.load import drive, post
from benchmarks.processes import PlantServer, Server, gateway, resident_bytes
from benchmarks.report import Effort, Row

GROWTH = 0.05
"""What still counts as flat: allocators breathe."""
ENOUGH = 1_200
"""Fewer than these in the first half do not fill what keeps documents, and say nothing about growing further."""
CONCURRENCY = 8
DOCUMENT = """\
query Order%d($id: ID!) {
  productionOrder(id: $id) { number status item { number } planning { quantity { value unit } dueDate } }
}
"""


def measure(server: PlantServer, folder: Path, effort: Effort) -> list[Row]:
    """Resident memory half-way, when what is kept is full, and at the end."""
    documents = [
        post(DOCUMENT % number, {"id": plant.id_of(number % 50)}) for number in range(effort.documents)
    ]
    with gateway(write_config(folder, server.url, WARM)) as ours:
        drive(ours.port, WARM_SINGLES, concurrency=CONCURRENCY, count=len(WARM_SINGLES), seconds=60)
        return [
            _grown(ours, "distinct documents", documents, effort.documents, effort.memory_seconds),
            _grown(ours, "requests", WARM_SINGLES, effort.requests, effort.memory_seconds),
        ]


def _grown(ours: Server, what: str, requests: Sequence[bytes], count: int, seconds: float) -> Row:
    sizes = [resident_bytes(ours.pid)]
    done: list[int] = []
    for _ in range(2):
        # What the first half did not come to, the second one goes on with.
        rest = requests[sum(done) :] or requests
        load = drive(ours.port, rest, concurrency=CONCURRENCY, count=count // 2, seconds=seconds / 2)
        done.append(load.requests)
        sizes.append(resident_bytes(ours.pid))
    growth = sizes[2] / sizes[1] - 1
    before, half, end = (size / 2**20 for size in sizes)
    return Row(
        f"memory: {sum(done):,} {what}",
        "resident memory half-way",
        f"{growth:+.1%}",
        f"flat (<= {GROWTH:+.0%})",
        growth <= GROWTH if done[0] >= ENOUGH else None,
        f"{before:.0f} MiB before, {half:.0f} half-way, {end:.0f} at the end; of {count:,} as many as fit into "
        f"{seconds:g} s (--documents, --requests, --memory-seconds)",
    )
