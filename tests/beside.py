"""Runs tests that wait more than they work beside the others: ``python -m tests.beside FOLDER… -- ARGUMENTS``.

Two runs of pytest at a time, the named folders in one and everything else in the other; what the first said is shown when
both are over.
"""

import subprocess
import sys
import tempfile

import pytest

NONE_CHOSEN = pytest.ExitCode.NO_TESTS_COLLECTED


def main(arguments: list[str]) -> int:
    """The exit code: of the worse run; that one of the two had no tests to run is no failure."""
    cut = arguments.index("--")
    beside, given = arguments[:cut], arguments[cut + 1 :]
    run = [sys.executable, "-m", "pytest"]
    rest = [f"--ignore={name}" for name in beside]
    with tempfile.TemporaryFile() as said:
        waiting = subprocess.Popen(
            [*run, "-p", "no:cacheprovider", *beside, *given], stdout=said, stderr=subprocess.STDOUT
        )
        try:
            working = subprocess.run([*run, *rest, *given], check=False).returncode
            waited = waiting.wait()
        finally:
            waiting.kill()
        said.seek(0)
        sys.stdout.write(said.read().decode("utf-8", "replace"))
    codes = {working, waited}
    if codes == {NONE_CHOSEN}:
        return int(NONE_CHOSEN)
    return max(codes - {NONE_CHOSEN})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
