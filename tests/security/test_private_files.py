"""What the package keeps can be read by its owner alone, and goes nowhere else."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cache.cassette import Cassette
from orchestrator.cache.disk import disk_store
from orchestrator.cache.single_flight import FileLocks
from orchestrator.cli.files import write_result
from orchestrator.cli.main import main
from orchestrator.ledger import jsonl, months
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.months import keep_sums
from orchestrator.ledger.private import (
    NotPrivateError,
    make_private,
    open_private,
    private_lock,
    write_private,
)
from orchestrator.types.errors import ConfigError

PACKAGE = Path(__file__).parents[2] / "orchestrator"
ROOT = not hasattr(os, "geteuid") or os.geteuid() == 0


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def write_ledger(place: Path) -> None:
    ledger = Ledger(place)
    with ledger.open("generate", route="r"):
        pass
    month = ledger.lines()[0]["at"][:7] if ledger.lines() else ""
    keep_sums(place, month)


def write_answers(place: Path) -> None:
    store = disk_store(place)
    store.put("small", [1], question={})
    store.put("large", {"text": "x" * 100_000}, question={})
    assert store.get("large")
    store.close()


def write_recording(place: Path) -> None:
    Cassette(place).put("0" * 64, {"a": 1}, question={"messages": []})


def write_lines(place: Path) -> None:
    jsonl.append(place / "accepted.jsonl", "{}")


def write_modes(place: Path) -> None:
    write_private(place / "modes.json", b"{}")
    with private_lock(place / "modes.lock"):
        pass


@pytest.mark.parametrize("name", [".", "x" * 300])
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"directory|too long") as caught:
        write_private(Path(name), b"{}")
    assert caught.value.filename == name


KINDS = [write_ledger, write_answers, write_recording, write_lines, write_modes]
every_kind = pytest.mark.parametrize("write", KINDS)


def modes(place: Path) -> dict[str, int]:
    return {
        str(path.relative_to(place)): stat.S_IMODE(path.lstat().st_mode)
        for path in place.rglob("*")
    }


@every_kind
def test_files_and_the_parents_they_need_are_for_their_owner_alone(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_WORTH_KEEPING", 0)
    tmp_path.chmod(0o755)
    write(tmp_path / "some" / "where")
    found = modes(tmp_path)
    assert len(found) > 2
    for name, mode in found.items():
        assert mode == (0o700 if (tmp_path / name).is_dir() else 0o600), (name, oct(mode))


@every_kind
@pytest.mark.parametrize("where", ["dangling", "a file of ours"])
def test_a_link_in_the_place_of_a_file_is_not_followed(
    tmp_path: Path, write: Callable[[Path], None], where: str
) -> None:
    own = tmp_path / "own.txt"
    if where != "dangling":
        own.write_text("precious")
        own.chmod(0o644)
    place = tmp_path / "place"
    write(place)
    names = [path for path in place.rglob("*") if path.is_file()]
    assert names
    for path in names:
        path.unlink()
        path.symlink_to(own)
        with contextlib.suppress(OSError, ConfigError, AssertionError):
            write(place)
        if where == "dangling":
            assert not own.exists()
        else:
            assert (own.read_text(), stat.S_IMODE(own.stat().st_mode)) == ("precious", 0o644)
        path.unlink()


@every_kind
def test_a_link_in_the_place_of_the_directory_is_not_followed(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir(0o700)
    (tmp_path / "place").symlink_to(tmp_path / "elsewhere")
    with contextlib.suppress(OSError, ConfigError):
        write(tmp_path / "place")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("flags", [os.O_RDWR | os.O_APPEND, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(
    tmp_path: Path, flags: int
) -> None:
    os.mkfifo(tmp_path / "file")
    with pytest.raises(NotPrivateError, match="not a file at all"):
        open_private(tmp_path / "file", flags)


def test_the_ledger_says_what_is_wrong_with_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "x")
    (tmp_path / "shared").mkdir(0o777)
    with Ledger(tmp_path / "shared").open("generate", route="r"):
        pass
    assert "other users may write there; take that away with chmod go-w" in caplog.text
    assert list((tmp_path / "shared").iterdir()) == []
    (tmp_path / "shared").chmod(0o1777)  # as /tmp: nobody can put a file in the place of another's
    with Ledger(tmp_path / "shared").open("generate", route="r"):
        pass
    assert list(modes(tmp_path / "shared").values()) == [0o600]


def test_old_locks_are_removed_from_no_other_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "asking").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "own").mkdir(0o700)
    for name in ("elsewhere/a.lock", "own/a.lock", "own/letter.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    for name in ("asking", "own", "missing"):
        FileLocks(tmp_path / name).sweep()
    assert (tmp_path / "elsewhere" / "a.lock").exists()
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["letter.txt"]
    assert not (tmp_path / "missing").exists()


def test_the_directory_of_the_cache_is_taken_back_from_others(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(0o777)
    write_answers(tmp_path / "cache")
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_of_other_things_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    (tmp_path / "notes.txt").write_text("of the user")
    tmp_path.chmod(mode)
    write_answers(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "cache.db").stat().st_mode) == 0o600


def test_a_result_goes_through_no_link_that_waits_beside_it(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    (tmp_path / f".out.gmn.{os.getpid()}").symlink_to(victim)
    write_result("a model", str(tmp_path / "out.gmn"))
    assert victim.read_text() == "as it was"
    assert not (tmp_path / "out.gmn").is_symlink()
    assert (tmp_path / "out.gmn").read_text() == "a model"


def test_files_of_earlier_versions_are_tightened_when_they_are_written(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    (path,) = tmp_path.glob("*.jsonl")
    path.chmod(0o644)
    write_ledger(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not ROOT, reason="only root can give a file to another user")
def test_a_file_or_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(0o700)
    (theirs / "file").write_text("theirs")
    os.chown(theirs / "file", 12345, 12345)
    for work in (lambda: open_private(theirs / "file", os.O_WRONLY | os.O_TRUNC),
                 lambda: private_lock(theirs / "file")):  # fmt: skip
        with pytest.raises(NotPrivateError, match="belongs to user 12345, not to you"):
            work()
    assert (theirs / "file").read_text() == "theirs"
    os.chown(theirs, 12345, 12345)
    with pytest.raises(NotPrivateError, match="belongs to user 12345"):
        make_private(theirs)
    with pytest.raises(NotPrivateError, match="belongs to user 12345"):
        write_private(theirs / "new", b"")
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        disk_store(theirs)
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o700
    theirs.chmod(0o777)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        disk_store(theirs)
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o777


@pytest.mark.skipif(not ROOT, reason="only root can give a link to another user")
def test_a_directory_that_another_group_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir(0o770)
    os.chown(tmp_path / "group", -1, 12345)
    with pytest.raises(NotPrivateError, match="other users may write there"):
        make_private(tmp_path / "group")


CREATE = """
import os, sys, time
from pathlib import Path
from orchestrator.ledger.private import open_private, write_private
os.umask(0)
place = Path(sys.argv[1])
while not (place / "go").exists():
    time.sleep(0.001)
for number in range(300):
    path = place / str(number) / "deep" / "file"
    handle = open_private(path, os.O_WRONLY | os.O_APPEND)
    os.write(handle, b"line\\n")
    os.close(handle)
    write_private(path.with_name("whole"), sys.argv[2].encode() * 1000)
"""


def test_processes_that_create_the_same_files_at_once_all_succeed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, str(tmp_path)]
    ran = [subprocess.Popen([*command, name]) for name in "ab"]
    (tmp_path / "go").touch(0o600)
    assert [one.wait() for one in ran] == [0, 0]
    for number in range(300):
        place = tmp_path / str(number) / "deep"
        assert (place / "file").read_text() == "line\n" * 2
        assert (place / "whole").read_text() in ("a" * 1000, "b" * 1000)
        assert modes(place) == {"file": 0o600, "whole": 0o600}
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_what_is_exported_from_the_store_is_private_and_follows_no_link(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = own_home / "cache"
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(cache))
    write_answers(cache)
    kept = {
        "contract": "c", "system": ["s"], "messages": [{"role": "user", "content": "q"}],
        "answer": "a", "model": "m", "provider": "acme", "templates": {}, "calls": 1, "at": "",
    }  # fmt: skip
    jsonl.append(cache / "accepted.jsonl", json.dumps(kept))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir(0o777)  # the user names the place
    assert main(["cache", "export", "out/answers"]) == 0
    assert main(["export", "--finetune", "out/train.jsonl"]) == 0
    assert set(modes(tmp_path / "out").values()) == {0o600}
    for name, command in (("a", ["cache", "export"]), ("b.jsonl", ["export", "--finetune"])):
        (tmp_path / "own").write_text("precious")
        (tmp_path / name).symlink_to(tmp_path / "own")
        assert main([*command, name]) in (2, 4)
        assert (tmp_path / "own").read_text() == "precious"


#: Other ways to make a file or a directory, and where they are right.
MAKES = {
    "open", "write_text", "write_bytes", "mkdir", "makedirs", "touch", "mkstemp", "mkdtemp",
    "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "FileLock", "SoftFileLock",
    "connect", "savefig", "copyfile", "copytree", "symlink_to", "hardlink_to", "mkfifo",
}  # fmt: skip
ALLOWED = {
    ("ledger/private.py", "open"): "the one way",
    ("ledger/private.py", "mkdir"): "the one way",
    ("ledger/private.py", "FileLock"): "the one way",
    ("cli/files.py", "open"): "a result, which has the mode of the user's umask",
    ("cli/files.py", "write_bytes"): "a result, which has the mode of the user's umask",
    ("cli/output.py", "open"): "the null device",
    ("cli/doctor.py", "TemporaryFile"): "an empty file of its owner, gone at once, to see",
    ("client/batch/journal.py", "connect"): "a database whose file is private by then",
    ("client/batch/database.py", "connect"): "a server of PostgreSQL",
    ("client/batch/output.py", "open"): "a result, which has the mode of the user's umask",
    ("generation/images.py", "open"): "a picture of the caller, read only",
    ("cache/disk.py", "connect"): "a database whose file is private by then",
    ("agents/database.py", "connect"): "a database whose file is private by then",
    ("agents/presence.py", "connect"): "a session of PostgreSQL",
    ("server/app.py", "open"): "the parts of the service, which open no file by that name",
    ("gmn/draw/raster.py", "savefig"): "a picture in memory",
    ("types/presentation.py", "write_text"): "a result, which has the mode of the user's umask",
}


def made(path: Path) -> Iterator[tuple[str, int]]:
    """The calls that may make a file, with their lines; one that plainly only reads is not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        reads = texts[:1] in (["r"], ["rb"]) or "O_RDONLY" in ast.unparse(node)
        is_method_of_ours = (node.keywords and "ledger" in ast.unparse(called)) or not node.args
        if name == "open" and (reads or is_method_of_ours):
            continue
        if name in MAKES and not (name == "write_text" and isinstance(called, ast.Name)):
            yield name, node.lineno


def test_the_package_makes_files_in_one_way_only() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name): line
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, line in made(path)
    }
    assert {key: line for key, line in found.items() if key not in ALLOWED} == {}
    assert [key for key in ALLOWED if key not in found] == []
