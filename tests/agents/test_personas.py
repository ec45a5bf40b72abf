"""Personas from files of strangers: what is wrong is said with file and line, and nothing hangs."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator import ConfigError
from orchestrator.agents.errors import NotFoundError
from orchestrator.agents.persona import PersonaConfig
from orchestrator.agents.personas import Personas, persona_from_file
from orchestrator.config.paths import shipped
from tests.support.examples import share_of

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"name: X\n\ttraits: [a]\n", r"x\.yaml: is not usable: it is not YAML at line 2"),
        (b"name: X\nname: Y\n", r"x\.yaml: is not usable: the key 'name' is given twice at line 2"),
        (b"name: X\n\non: 3\n", r"x\.yaml: .*not a text.*quote it"),
        (b"name: X\nstyle:\n  ton: a\n", r"x\.yaml:3: style\.ton: is not a known key"),
        (b"name: X\ntraits: kind\n", r"x\.yaml:2: traits: Input should be a list"),
        (b"name: X\ntraits: [a, 3]\n", r"x\.yaml:2: traits\.1: Input should be a valid string"),
        (b"name: X\nstyle:\n", r"x\.yaml:2: style: Input should be a mapping"),
        (b"name: ' '\n", r"x\.yaml:1: name: is blank"),
        (b"name: X\nsystem: '{nam}'\n", r"x\.yaml:2: system: {nam} is not filled in"),
        (b"name: X\nid: y\n", r"x\.yaml: id: is 'y' in a file named for 'x'"),
        (b"name: X\ninclude: [other.yaml]\n", r"x\.yaml:2: include: is not a known key"),
        (b"- a\n", r"x\.yaml: holds a list, not a mapping"),
        ("name: X\n".encode("utf-16"), r"x\.yaml: is not usable: .*utf-8"),
        (b"name: " + b"x" * 5_000_000, r"x\.yaml: is not usable: it holds more than"),
        (b"name: X\n---\nname: Y\n", r"x\.yaml: is not usable: it is not YAML at line 2"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    raw: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_bytes(raw)
    with pytest.raises(ConfigError, match=said) as caught:
        Personas(tmp_path)
    assert "ORCHESTRATOR_CONFIG" not in str(caught.value)


def test_marks_of_other_systems_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(
        b"\xef\xbb\xbfname: &a X\r\nsystem: |\r\n  {name}\r\n  *a\r\n"
    )
    assert persona_from_file(tmp_path / "x.yaml").system_message == "X\n*a"


def test_what_is_not_a_file_is_refused_and_later_passed_over(tmp_path: Path) -> None:
    held = Personas(tmp_path)
    path = tmp_path / "x.yaml"
    makes: list[Callable[[], None]] = [
        lambda: os.mkfifo(path), path.mkdir, lambda: path.symlink_to("x.yaml"),
        lambda: path.symlink_to(tmp_path / "nothing"),
    ]  # fmt: skip
    for make in makes:
        make()
        with ThreadPoolExecutor(1) as pool:  # reading a pipe would wait for ever
            error = pool.submit(_refusal, tmp_path).result(20)
            assert "x.yaml" in error
            assert [one.id for one in pool.submit(held.all).result(20)][-1] == "tutor"
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def _refusal(directory: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Personas(directory)
    return str(caught.value)


def test_a_file_that_was_removed_has_no_version_that_holds(tmp_path: Path) -> None:
    held = Personas(tmp_path)
    held.put({"id": "a", "name": "First"})
    path = tmp_path / "a.yaml"
    held.get("a")
    path.write_text("nam: Second\n")
    assert held.get("a").name == "First"  # its last good version
    path.unlink()
    with pytest.raises(NotFoundError):
        held.get("a")
    path.write_text("nam: Third\n")
    with pytest.raises(NotFoundError):
        held.get("a")


def test_of_two_that_delete_one_is_told(tmp_path: Path) -> None:
    held = Personas(tmp_path)
    for _ in range(20):
        held.put({"id": "a", "name": "A"})
        start = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(_deleted, [held] * 4, [start] * 4))
        assert ends.count("gone") == 1
        assert ends.count("not found") == 3


def _deleted(held: Personas, start: threading.Barrier) -> str:
    start.wait()
    try:
        held.delete("a")
    except NotFoundError:
        return "not found"
    return "gone"


def test_writers_and_readers_at_once_see_whole_personas(tmp_path: Path) -> None:
    held, other = Personas(tmp_path), Personas(tmp_path)

    def work(number: int) -> set[str]:
        for one in range(20):
            (held if number % 2 else other).put({"id": "a", "name": f"{number}-{one}"})
        return {held.get("a").name[1], other.get("a").name[1]}

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(work, range(4))) == {"-"}
    assert held.get("a") == other.get("a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


@settings(max_examples=share_of(60), deadline=None)
@example(name="Zoë", tone="a\x85b", closing="\ufeff")
@given(name=_TEXT.filter(lambda text: bool(text.strip())), tone=_TEXT, closing=_TEXT)
def test_what_is_put_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, tone: str, closing: str
) -> None:
    held = Personas(tmp_path_factory.mktemp("personas"))
    put = held.put({"id": "a", "name": name, "style": {"tone": tone, "closing": closing}})
    assert held.get("a") == put


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("{{{name}}}", "{A {x}}"),
        ("{{name}} } { {name}", "{name} } { A {x}"),
        ("x\0y {name}", "x\0y A {x}"),
        ("One.\n\n{traits}\n{tone}\nTwo {name}.\n", "One.\n\nTwo A {x}."),
    ],
)
def test_a_template_is_filled_once_and_keeps_its_blank_lines(system: str, message: str) -> None:
    assert PersonaConfig(id="a", name="A {x}", system=system).system_message == message


def test_the_exported_schema_is_that_of_the_code_and_the_shipped_personas_fit() -> None:
    exported = json.loads(shipped("schemas", "persona.schema.json").read_text())
    assert exported == PersonaConfig.model_json_schema(), (
        "json.dumps(PersonaConfig.model_json_schema(), indent=2) makes it"
    )
    found = Personas().all()
    assert [one.id for one in found] == ["analyst", "cherry", "tutor"]
    for one in found:
        assert one.name in one.system_message
        assert "{" not in one.system_message
