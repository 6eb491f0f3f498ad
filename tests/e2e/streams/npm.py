"""Programs of node: npm's packages installed once, and what a process says line by line."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache"


def installed(name: str, packages: tuple[str, ...]) -> Path:
    """The folder with these packages; the test is skipped where they cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no node here")
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "node_modules" / ".installed"
    if not done.exists() or done.read_text() != repr(packages):
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
        if result.returncode:
            pytest.skip(f"npm cannot install {packages}: {result.stderr[-300:]}")
        done.write_text(repr(packages))
    return folder


class Heard:
    """What a program says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self._lines.put(line)
        self._lines.put("")

    def next(self, *kinds: str) -> Any:
        """The value of the next line of these kinds."""
        while line := self._lines.get(timeout=30):
            found = json.loads(line)
            if found["kind"] in kinds:
                return found.get("value")
        raise AssertionError(f"the program ended without a line of {kinds}")

    def say(self, word: str) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def close(self, patience: float = 0) -> None:
        """End it; with patience, let it end by itself first."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(5)


@contextmanager
def running(script: str, *arguments: str, patience: float = 0) -> Iterator[Heard]:
    """A program in a process of its own."""
    environment = {**os.environ, "NODE_NO_WARNINGS": "1"}
    process = subprocess.Popen(
        ["node", str(HERE / script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    heard = Heard(process)
    try:
        yield heard
    finally:
        heard.close(patience)
