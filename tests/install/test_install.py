"""The doors that users take: `make demo` in a fresh clone, and `pip install` somewhere else.

They take minutes and need a network, so `make test-install` runs them and `make test` does not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINORS = range(11, 15)
SENTENCE = "Create a cautious explorer for a 5x5 grid world"
BUILD_TOOLS = ("pip", "setuptools", "hatchling", "wheel")

pytestmark = [pytest.mark.install, pytest.mark.timeout(900)]


def pythons() -> dict[str, str]:
    """The interpreters from 3.11 to 3.14 on PATH and under pyenv, by version."""
    found: dict[str, str] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for minor in MINORS:
        names = [
            shutil.which(f"python3.{minor}") or "",
            *pyenv.glob(f"versions/3.{minor}.*/bin/python"),
        ]
        for name in names:
            said = subprocess.run(
                [str(name) or "false", "-c", "import sys; print(sys.executable)"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if said.returncode == 0:
                found[f"3.{minor}"] = said.stdout.strip()
                break
    return found


PYTHONS = pythons()


def run(*command: str | Path, cwd: Path, home: Path, **environment: str) -> str:
    """What a command prints, in an empty HOME; the test fails where the command does."""
    kept = {key: os.environ[key] for key in os.environ if key not in ("HOME", "VIRTUAL_ENV")}
    kept = {k: v for k, v in kept.items() if not k.endswith("_API_KEY") and "COV" not in k}
    made = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
        env={**kept, "HOME": str(home), **environment},
    )  # fmt: skip
    assert made.returncode == 0, f"{command}\n{made.stdout}\n{made.stderr}"
    return made.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a user has after `git clone`."""
    run("git", "clone", "--quiet", ROOT, tmp_path / "clone", cwd=tmp_path, home=tmp_path)
    return tmp_path / "clone"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    empty = tmp_path / "home"
    empty.mkdir()
    return empty


def pins(path: Path) -> dict[str, set[str]]:
    """The versions that a constraint file allows, by name; more than one for several Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s\\]+)", path.read_text(), re.M):
        found.setdefault(name, set()).add(version)
    return found


def newer_index(directory: Path, names: set[str]) -> Path:
    """Wheels of version 9999 for every name: whatever resolves takes one, and breaks."""
    directory.mkdir()
    for name in names:
        stem = f"{name.replace('-', '_')}-9999.0"
        info = f"{stem}.dist-info"
        with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 9999.0\n"
            )
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
    return directory


def test_a_python_of_ours_is_here() -> None:
    assert PYTHONS, "no python3.11 to python3.14 on PATH or under pyenv"


@pytest.mark.parametrize("version", sorted(PYTHONS))
def test_make_demo_works_in_a_fresh_clone_and_takes_what_is_pinned(
    version: str, clone: Path, home: Path, tmp_path: Path
) -> None:
    pinned = pins(clone / "constraints.txt")
    built_with = pins(clone / "constraints-build.txt")
    links = newer_index(tmp_path / "newer", {*pinned, *built_with, *BUILD_TOOLS})
    printed = run(
        "make", f"PYTHON={PYTHONS[version]}", "demo", cwd=clone, home=home,
        PIP_FIND_LINKS=str(links),
    )  # fmt: skip
    assert "gmn 1.0" in printed
    python = clone / ".venv" / "bin" / "python"
    listed = run(python, "-m", "pip", "list", "--format=freeze", cwd=clone, home=home)
    installed = dict(line.split("==") for line in listed.split() if "==" in line)
    known = {name.lower().replace("_", "-"): at for name, at in installed.items()}
    wrong = {
        name: at
        for name, at in known.items()
        if name not in ("pip", "gmn-orchestrator") and at not in pinned.get(name, ())
    }
    assert not wrong
    assert not [name for name, at in known.items() if at.startswith("9999")]
    again = run(
        "make", f"PYTHON={PYTHONS[version]}", "demo", cwd=clone, home=home, PIP_NO_INDEX="1"
    )
    assert "gmn 1.0" in again  # nothing is installed the second time


def test_pip_install_takes_the_newest_within_our_bounds_and_works_elsewhere(
    clone: Path, home: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "empty", with_pip=True, symlinks=True)
    binaries = tmp_path / "empty" / "bin"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(binaries / "python", "-m", "pip", "install", "--quiet", clone, cwd=elsewhere, home=home)
    assert "gmn 1.0" in run(binaries / "orchestrator", "demo", cwd=elsewhere, home=home)
    command = (binaries / "orchestrator", "generate", SENTENCE, "--agent-type", "explorer")
    assert "gmn 1.0" in run(*command, cwd=elsewhere, home=home)
    call = (
        "from orchestrator import completion\n"
        "print(completion('offline', [{'role': 'user', 'content': 'hello'}]).choices[0])"
    )
    assert "embedded provider" in run(binaries / "python", "-c", call, cwd=elsewhere, home=home)
