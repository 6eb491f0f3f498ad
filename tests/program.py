"""The command line as people start it, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CROSSDOCK = str(Path(sys.executable).parent / "crossdock")


class Program:
    """A running process and what it wrote."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def said(self) -> str:
        """Everything written so far, to both streams."""
        return self.log.read_text()

    def url(self) -> str:
        """The endpoint, once it is announced."""
        for _ in range(400):
            if found := re.search(r"http://127\.0\.0\.1:\d+/graphql", self.said()):
                return found[0]
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)
        raise AssertionError(f"not announced within 40 s: {self.said()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def started(log: Path, *arguments: str, **settings: str) -> Iterator[Program]:
    """The command in a clean environment with these settings; killed at the end if it is still there."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CROSSDOCK_")}
    environ |= {f"CROSSDOCK_{name.upper()}": value for name, value in settings.items()}
    with log.open("w") as out:
        process = subprocess.Popen(
            [CROSSDOCK, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True, env=environ
        )
        try:
            yield Program(process, log)
        finally:
            process.kill()
            process.wait()
