"""Everything that is promised about speed, measured in one go.

make bench                           the full run, under ten minutes; writes benchmarks/RESULTS.md
make bench ARGS=--quick              under two minutes, for development; prints only
make bench ARGS="--only cold"        some parts: executor, warm, cold, memory, further; prints only
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import executors, http_path, memory
from benchmarks.processes import ROOT, PlantServer, plant_server
from benchmarks.report import FULL, QUICK, RESULTS, Effort, Row, page, table

PARTS: dict[str, Callable[[PlantServer, Path, Effort], list[Row]]] = {
    "executor": executors.measure,
    "warm": http_path.warm_rows,
    "cold": http_path.cold_rows,
    "memory": memory.measure,
}
FURTHER: tuple[tuple[str, ...], ...] = (
    ("benchmarks.bench_queries", "30"),
    ("benchmarks.loaders",),
    ("benchmarks.redis_store",),
    ("benchmarks.rest_mapping", "5"),
)
"""Measurements that print for themselves: a module and its arguments. What they print goes below the table."""


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short runs; prints only")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "further"], help="some parts; prints only")
    parser.add_argument("--seconds", type=float, help="length of one run")
    parser.add_argument("--rounds", type=int, help="how often both sides take turns")
    parser.add_argument("--documents", type=int, help="distinct documents for the memory")
    parser.add_argument("--requests", type=int, help="requests for the memory")
    parser.add_argument("--memory-seconds", type=float, help="longest time for each of them")
    return parser.parse_args()


def further() -> list[tuple[str, str]]:
    """What the other measurements print, by command."""
    told = []
    for module, *arguments in FURTHER:
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        text = done.stdout if done.returncode == 0 else f"failed:\n{done.stdout}{done.stderr}"
        told.append((" ".join(["python", *command[1:]]), text))
        print(f"\n{told[-1][0]}\n{text}", flush=True)
    return told


def main() -> None:
    """Measure, print, and after a full run write the page."""
    given = options()
    chosen = given.only or [*PARTS, *([] if given.quick else ["further"])]
    said = {name: value for name, value in vars(given).items() if value is not None}
    effort = replace(
        QUICK if given.quick else FULL, **{name: said[name] for name in Effort.__slots__ if name in said}
    )
    began, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder, plant_server() as plant:
        for name in PARTS:
            if name in chosen:
                print(f"{name} ...", file=sys.stderr, flush=True)
                again = f"`python -m benchmarks --only {name}`"
                rows += [replace(row, command=again) for row in PARTS[name](plant, Path(folder), effort)]
    print(table(rows), flush=True)
    others = further() if "further" in chosen else []
    if not given.quick and not given.only:
        arguments = " ".join(["python -m benchmarks", *sys.argv[1:]])
        RESULTS.write_text(page(rows, arguments, time.monotonic() - began, others), "utf-8")
        print(f"\nwritten to {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
