"""What we have people install: our own name, and nothing that only our tests need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import quote

import pytest
from packaging.requirements import Requirement

from orchestrator.types.errors import MissingExtraError

ROOT = Path(__file__).resolve().parents[2]
#: What people read and copy from.
SPOKEN = (
    *sorted(ROOT.glob("orchestrator/**/*.py")),
    *sorted(ROOT.glob("**/*.md")),
    *sorted(ROOT.glob("prompts/**/*.j2")),
    *(ROOT / name for name in ("Makefile", "config.yaml", "pyproject.toml")),
)
#: On the public index, `orchestrator` is a package of somebody else.
STRANGERS = re.compile(
    r"(?<![\w-])orchestrator\[\w"
    r"|\b(?:pip3?|pipx|uv|poetry|conda) (?:install|add|download)[^\n|]*?"
    r"[\s'\"]orchestrator(?![\w./-])"
)


def pins(name: str) -> dict[str, str]:
    """What a constraint file says of each package: version, marker and hashes, by name."""
    blocks = re.split(r"^(?=\w)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {block.partition("==")[0]: block for block in blocks if block}


def message_of(
    monkeypatch: pytest.MonkeyPatch, site: Path, origin: Mapping[str, object] | None
) -> str:
    """The message of an error, where the package was installed from `origin`."""
    info = site / "gmn_orchestrator-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gmn-orchestrator\nVersion: 0.1.0")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(site)
    return str(MissingExtraError("orchestrator.cache.url", "redis"))


def test_no_message_page_or_template_names_the_package_of_somebody_else() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in SPOKEN
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        for found in STRANGERS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert named == []


@pytest.mark.parametrize(
    "words",
    ["pip install 'orchestrator[redis]'", "pip install orchestrator", "uv add orchestrator",
     "add orchestrator[plot] to it", "pip install -U \"orchestrator\""],
)  # fmt: skip
def test_the_search_for_the_old_name_finds_it(words: str) -> None:
    assert STRANGERS.search(words)
    assert not STRANGERS.search(words.replace("orchestrator", "gmn-orchestrator"))


def test_an_installation_from_the_index_is_sent_to_our_name_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message_of(monkeypatch, tmp_path, None).endswith(
        ": pip install 'gmn-orchestrator[redis]'"
    )


@pytest.mark.parametrize(("editable", "flag"), [(True, "-e "), (False, "")])
@pytest.mark.parametrize("name", ["checkout", "it's a checkout", "100% $(id)"])
def test_an_installation_from_a_checkout_is_sent_to_the_checkout(
    name: str, editable: bool, flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / name
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    origin = {
        "url": f"file://{quote(str(checkout))}",
        "dir_info": {"editable": True} if editable else {},
    }
    message = message_of(monkeypatch, tmp_path / "site", origin)
    command = message.partition("Install it: ")[2]
    # What a shell makes of it is what pip gets.
    words = subprocess.run(
        ["sh", "-c", f'printf "%s\\n" {command}'], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words == [sys.executable, "-m", "pip", "install", *flag.split(), f"{checkout}[redis]"]


def test_a_checkout_that_is_gone_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = {"url": f"file://{tmp_path}/gone", "dir_info": {"editable": True}}
    assert "gone" not in message_of(monkeypatch, tmp_path / "site", origin)


def test_a_folder_that_is_not_installed_at_all_still_gives_a_command(tmp_path: Path) -> None:
    code = "from orchestrator import MissingExtraError; print(MissingExtraError('x', 'plot'))"
    printed = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True,
        check=True, env={"PYTHONPATH": str(ROOT)},
    ).stdout  # fmt: skip
    assert f"-m pip install -e '{ROOT}[plot]'" in printed


def test_what_demo_installs_is_needed_by_what_users_run() -> None:
    """Follows the requirements from pyproject.toml; markers of other systems are taken as met."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = pins("constraints.txt")
    needed: set[str] = set()
    open_ = [Requirement(one) for one in project["dependencies"]]
    while open_:
        one = open_.pop()
        key = re.sub(r"[-_.]+", "-", one.name).lower()
        if f"{key}{sorted(one.extras)}" in needed:
            continue
        needed |= {key, f"{key}{sorted(one.extras)}"}
        try:
            stated = distribution(key).requires or []
        except PackageNotFoundError:  # for another system or Python
            continue
        rest = [Requirement(line) for line in stated]
        open_ += [
            each
            for each in rest
            if "extra" not in str(each.marker)
            or any(each.marker and each.marker.evaluate({"extra": x}) for x in one.extras)
        ]
    elsewhere = {name for name, pin in runtime.items() if " ; " in pin}
    assert set(runtime) - needed - elsewhere == set()


def test_every_pin_has_hashes_and_sdists_are_for_one_test_tool_alone() -> None:
    files = sorted(path.name for path in ROOT.glob("constraints*.txt"))
    unhashed = [
        f"{file}: {name}" for file in files for name, pin in pins(file).items()
        if "--hash=sha256:" not in pin or "://" in pin
    ]  # fmt: skip
    assert unhashed == []
    for tool in ("forbiddenfruit", "setuptools", "hatchling", "pytest", "pip-audit"):
        assert tool not in pins("constraints.txt")
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"--no-binary (\S+)", makefile) == ["forbiddenfruit", "llama-cpp-python"]
    assert "$(call install,$(VENV),$(PINNED),constraints.txt," in makefile
    assert re.search(r"^PINNED := .*--require-hashes --only-binary :all:$", makefile, re.MULTILINE)


def test_the_client_that_loses_the_azure_key_on_a_redirect_is_required() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (client,) = [one for one in map(Requirement, stated) if one.name == "openai"]
    assert not client.specifier.contains("3.3.9")
    assert client.specifier.contains("3.4.0")


KNOWN = {"name": "a", "version": "1", "vulns": []}
FAULTY = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "c is not found"}


@pytest.mark.parametrize(
    ("printed", "code", "words"),
    [
        ([KNOWN], 0, "1 pins audited, 0 faults"),
        ([KNOWN, FAULTY], 1, "b 2: CVE-1, fixed in 3"),
        ([KNOWN, UNKNOWN], 1, "c is not found"),
        ([UNKNOWN], 0, "NO pin was audited"),
        ("requests.exceptions.ProxyError: no way", 0, "NO pin was audited"),
        ("a hash is missing", 1, "a hash is missing"),
    ],
)
def test_an_audit_without_an_index_does_not_look_like_a_clean_one(
    printed: list[dict[str, object]] | str, code: int, words: str, tmp_path: Path
) -> None:
    stand_in = (
        f"raise SystemExit({printed!r})"
        if isinstance(printed, str)
        else f"print({json.dumps({'dependencies': printed})!r})"
    )
    (tmp_path / "pip_audit.py").write_text(stand_in)
    made = subprocess.run(
        [sys.executable, "-m", "tests.install.audit"], cwd=ROOT, capture_output=True, text=True,
        check=False, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert made.returncode == code, made.stderr
    assert words in made.stdout + made.stderr
