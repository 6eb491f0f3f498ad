"""What a program of node says, line by line."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from tests.node import NODE

HERE = Path(__file__).parent


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
        [NODE, str(HERE / script), *arguments],
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
