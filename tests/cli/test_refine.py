"""`refine` changes what was asked for, keeps the rest, and says when it could not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.formats import comments_of, moved, read
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured, for_commands

Output = pytest.CaptureFixture[str]
COMMENTED = GOOD.replace("node state", "# where it is\nnode state", 1).replace(
    "node policy", "# how far it looks\nnode policy", 1
)


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "m.gmn"
    path.write_text(COMMENTED + "# the end\n")
    return str(path)


@pytest.fixture
def asked(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    settings = {"generation": {"max_calls": 1, "mode": "prompt"}}
    for_commands(configured(wire.base, "m", **settings), tmp_path, monkeypatch)
    return wire


def patch(*operations: tuple[str, str, object]) -> str:
    keys = ("op", "path", "value")
    return json.dumps([dict(zip(keys, one, strict=True)) for one in operations])


def test_feedback_that_is_not_carried_out_is_exit_code_one(document: str, capsys: Output) -> None:
    assert main(["refine", document, "--feedback", "make it sing"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "The feedback was not carried out." in printed.err
    assert "could not be done by the embedded provider: make it sing" in printed.err


def test_an_answer_that_only_takes_notes_changes_nothing(
    asked: WireServer, document: str, capsys: Output
) -> None:
    asked.plan("m", patch(("add", "/metadata", {"assumptions": "cannot be done"})))
    assert main(["refine", document, "--feedback", "make it sing"]) == 1
    assert "it says: cannot be done" in capsys.readouterr().err


def test_comments_stay_with_their_statements(
    asked: WireServer, document: str, capsys: Output
) -> None:
    asked.plan("m", patch(("replace", "/policy/horizon", 1)))
    assert main(["refine", document, "--feedback", "look one step ahead"]) == 0
    out = capsys.readouterr().out
    assert "# where it is\nnode state pos" in out
    assert "# how far it looks\nnode policy pi {\n  horizon: 1" in out
    assert out.endswith("# the end\nend\n")


def test_comments_are_known_by_name_when_places_move() -> None:
    old = {"states": [{"name": "a"}, {"name": "b"}], "priors": [{"of": "a"}]}
    new = {"states": [{"name": "c"}, {"name": "b"}], "priors": []}
    comments = {
        "/states/1": ("# b",),
        "/states/0": ("# a",),
        "/priors/0": ("# D",),
        "/gmn": ("# g",),
    }
    assert moved(comments, old, new) == {
        "/states/1": ("# b",), "/gmn": ("# g",), "/end": ("# a", "# D")
    }  # fmt: skip
    assert comments_of(read(COMMENTED).places)


def test_notes_of_the_answer_stay_out_of_the_document_and_other_metadata_are_reported(
    asked: WireServer, document: str, capsys: Output
) -> None:
    asked.plan(
        "m",
        patch(
            ("replace", "/policy/horizon", 1),
            ("add", "/metadata", {"assumptions": "a step is a minute", "author": "m"}),
        ),
    )
    assert main(["refine", document, "--feedback", "look one step ahead"]) == 0
    printed = capsys.readouterr()
    assert "assumptions" not in printed.out
    assert "assumed:  a step is a minute" in printed.err
    assert "warning: the answer added 'author' in the metadata" in printed.err
    assert 'author: "m"' in printed.out


def test_a_whole_document_in_place_of_a_patch_keeps_the_same_rules(
    asked: WireServer, document: str, capsys: Output
) -> None:
    whole = GOOD.replace("horizon: 2", "horizon: 1").replace(
        "agent walker {", 'agent walker { metadata: { assumptions: "none" }', 1
    )
    asked.plan("m", whole)
    assert main(["refine", document, "--feedback", "look one step ahead"]) == 0
    printed = capsys.readouterr()
    assert "assumptions" not in printed.out
    assert "assumed:  none" in printed.err
    assert "horizon: 1" in printed.out


def test_a_document_that_could_be_several_kinds_is_changed_as_the_one_that_is_named(
    asked: WireServer, tmp_path: Path, capsys: Output
) -> None:
    asked.plan("m", patch(("replace", "/policy/horizon", 2)))
    arrays = {"A": [[[0.9, 0.2], [0.1, 0.8]]], "B": [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]]]}
    path = tmp_path / "either.json"
    path.write_text(json.dumps({**arrays, "nodes": [{"id": "s", "type": "state"}]}))
    assert main(["refine", str(path), "--feedback", "plan 2 steps ahead"]) != 0
    assert "GMN807" in capsys.readouterr().err
    assert asked.requests == []
    assert main(["refine", str(path), "--as", "arrays", "--feedback", "plan 2 steps ahead"]) == 0
    assert "horizon: 2" in capsys.readouterr().out
