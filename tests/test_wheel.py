"""The wheel: what users install works in an empty environment, from another directory."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT),
        cwd=out,
    )
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_carries_schemas_prompts_and_the_default_config(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "orchestrator/_shipped/config.yaml" in names
    assert "orchestrator/_shipped/schemas/gmn.schema.json" in names
    assert "orchestrator/py.typed" in names
    assert "orchestrator/gmn/words/code_examples.txt" in names
    for path in (ROOT / "prompts").rglob("*"):
        if path.is_file():
            assert f"orchestrator/_shipped/{path.relative_to(ROOT)}" in names
    kinds = {name.partition("/")[0] for name in names}
    assert kinds == {"orchestrator", "gmn_orchestrator-0.1.0.dist-info"}
    written = {str(p.relative_to(ROOT)) for p in (ROOT / "orchestrator").rglob("*") if p.is_file()}
    of_python = {name for name in names if name.endswith(".py")}
    assert of_python <= written, "a stray file"


def test_the_source_archive_says_what_is_promised(tmp_path: Path) -> None:
    built = run(
        *(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT),
        cwd=tmp_path,
    )
    assert built.returncode == 0, built.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = set(archive.getnames())
    assert {f"gmn_orchestrator-0.1.0/{name}" for name in ("SECURITY.md", "constraints.txt")} < names


def test_the_installed_wheel_generates_a_model_in_another_directory(
    wheel: Path, tmp_path: Path
) -> None:
    home = tmp_path / "empty"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    site = Path(
        run(
            python, "-c", "import site; print(site.getsitepackages()[0])", cwd=tmp_path
        ).stdout.strip()
    )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # The dependencies come from the environment of the tests; a path file does not follow the
    # path files of the place it names, so an editable checkout there stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = run(python, "-c", "import orchestrator; print(orchestrator.__file__)", cwd=elsewhere)
    assert str(site) in where.stdout
    asked = (
        "from importlib.metadata import distribution as d, version as v;"
        "one, = [e for e in d('gmn-orchestrator').entry_points if e.group == 'console_scripts'];"
        "print(one.name, one.value, 'gmn-orchestrator', v('gmn-orchestrator'))"
    )
    stated = run(python, "-c", asked, cwd=elsewhere).stdout.strip()
    said = run(python, "-m", "orchestrator", "--version", cwd=elsewhere).stdout.strip()
    assert stated == f"orchestrator orchestrator.cli.entry:main {said}"
    made = run(
        *(python, "-m", "orchestrator", "generate"),
        *("Create a cautious explorer for a 5x5 grid world", "--agent-type", "explorer"),
        *("--provider", "offline", "-o", "explorer.gmn"),
        cwd=elsewhere,
        HOME=str(tmp_path / "home"),
    )
    assert made.returncode == 0, made.stderr
    checked = run(python, "-m", "orchestrator", "validate", "explorer.gmn", cwd=elsewhere)
    assert checked.returncode == 0, checked.stdout + checked.stderr
