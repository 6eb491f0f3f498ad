"""Test suites of others, as their source archives hold them: fetched by pip, checked by the hash in uv.lock, kept.

Run by ``make test`` with the interpreter that make made for uv, which has pip: ``python tests/conformance/suites.py``.
Standard library only.
"""

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "suites"
PIP = ROOT / ".cache" / "uv" / "bin" / "python"
NAMES = ("graphql-core",)
"""Distributions whose source archive holds their tests. Strawberry's does not."""


def locked(name: str) -> tuple[str, str]:
    """The version of a distribution and the hash of its source archive, as uv.lock has them."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    [package] = [one for one in lock["package"] if one["name"] == name]
    return package["version"], package["sdist"]["hash"]


def folder(name: str) -> Path:
    """Where a suite is or will be: the source tree of the version that is locked."""
    return KEPT / f"{name.replace('-', '_')}-{locked(name)[0]}"


def fetch(name: str) -> None:
    """Bring a suite here unless it is. Raises CalledProcessError where pip cannot, or finds another hash."""
    place = folder(name)
    if place.exists():
        return
    version, digest = locked(name)
    work = KEPT / f"{place.name}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    wanted = work / "wanted.txt"
    wanted.write_text(f"{name}=={version} --hash={digest}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    how = ["--no-deps", "--no-binary", name, "--require-hashes", "--requirement", str(wanted)]
    subprocess.run([*pip, "download", *how, "--dest", str(work)], check=True, timeout=300)
    with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
        archive.extractall(work, filter="data")
    (work / place.name).rename(place)
    shutil.rmtree(work)


if __name__ == "__main__":
    for each in NAMES:
        fetch(each)
