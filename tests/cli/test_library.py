"""The curated models and the codes of findings, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.codes import CATALOGUE
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.code_examples import code_examples

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"
Output = pytest.CaptureFixture[str]


def test_the_library_lists_every_curated_model_and_prints_each(capsys: Output) -> None:
    assert main(["library"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    names = [line.split()[0] for line in lines]
    assert names == sorted(path.stem for path in LIBRARY.glob("*.gmn"))
    for name in names:
        assert main(["library", name]) == 0
        said = capsys.readouterr().out
        assert said == (LIBRARY / f"{name}.gmn").read_text()
        assert validate(said, run_steps=0).report.is_valid


def test_a_model_that_is_not_there_is_answered_with_a_near_one(capsys: Output) -> None:
    assert main(["library", "tmaz"]) == 2
    assert "Did you mean tmaze?" in capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_code_is_explained(code: str, capsys: Output) -> None:
    assert main(["explain", code.lower()]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{code} {CATALOGUE[code].severity}: {CATALOGUE[code].title}"
    assert second.startswith("It is about ")
    one = code_examples()[code]
    said = " ".join(rest)
    assert said.startswith(one.words)
    shown = ("This raises it:" in rest, "This does not:" in rest)
    assert shown == (bool(one.fails), bool(one.fixed))
    for line in (*one.fails.splitlines(), *one.fixed.splitlines()):
        assert f"  {line}" in rest


def test_a_code_is_explained_as_json(capsys: Output) -> None:
    assert main(["explain", "--json", "GMN201"]) == 0
    one = code_examples()["GMN201"]
    fails, fixed = one.documents()
    assert fails != fixed
    assert json.loads(capsys.readouterr().out) == {
        "code": "GMN201",
        "severity": "error",
        "title": "row does not sum to 1",
        "about": "probabilities",
        "repaired": True,
        "words": one.words,
        "fails": fails,
        "fixed": fixed,
        "beside": {},
    }


def test_a_file_that_is_called_like_a_code_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("GMN201").write_text((LIBRARY / "tmaze.gmn").read_text())
    assert main(["explain", "GMN201"]) == 0
    assert "row does not sum" not in capsys.readouterr().out


@pytest.mark.parametrize("word", ["GMN999", "gmn9999", "999"])
def test_a_code_that_is_not_one_is_not_taken_for_a_file(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", word]) == 2
    assert f"{word!r} is not a code" in capsys.readouterr().err


def test_a_code_is_explained_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "201"]) == 0
    assert capsys.readouterr().out.startswith("GMN201 ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["validate", "x.gmn", "--sed", "1"],
            "arguments: --sed 1. Try: orchestrator validate",
        ),
        (["simulate", "x.gmn", "--stesp=3"], "--stesp=3; did you mean --steps?"),
        (
            ["keys", "create", "--tenat", "lab"],
            "mean --tenant? Try: orchestrator keys",
        ),
    ],
)
def test_an_unknown_argument_is_refused_by_its_command(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(given)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
