"""What measures must itself be right: CPU of whole trees, answers counted and looked at, targets told apart."""

import subprocess
import sys

import pytest

from benchmarks.load import drive, post
from benchmarks.processes import cpu_seconds, floor, plant_server, resident_bytes
from benchmarks.report import Row, table

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
PARENT = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BURN!r}]); print(1, flush=True); time.sleep(9)"


def test_cpu_of_children_counts() -> None:
    """What a child used is part of the tree, also after it has ended."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        used = cpu_seconds(parent.pid)
        assert resident_bytes(parent.pid) > 1_000_000
        parent.kill()
    assert 0.3 <= used < 3.0


def test_the_load_counts_whole_answers() -> None:
    """As many requests as were said, each answered in full."""
    with floor() as server:
        load = drive(server.port, [post("{ a }", {}, "/70000")], concurrency=4, count=40, seconds=20)
        assert (load.requests, load.size) == (40, 70_000)
        assert 0 < load.quantile(0.5) <= load.quantile(0.99) < 20


def test_the_load_stops_at_a_bad_answer() -> None:
    """Nothing is measured of a server that refuses."""
    with plant_server() as server, pytest.raises(SystemExit, match="404"):
        drive(int(server.url.rpartition(":")[2]), [post("{ a }", {})], concurrency=2, seconds=5)


def test_the_table_says_what_was_not_reached() -> None:
    """Met, not met, and not measured are three things."""
    lines = table([Row("w", "a", "1x", ">= 2x", met) for met in (True, False, None)]).splitlines()
    assert [line.split("|")[5].strip() for line in lines[2:]] == ["yes", "**no**", "-"]
