"""Findings for other programs: GitHub's annotations, SARIF, and a fingerprint of a model."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

Output = pytest.CaptureFixture[str]


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "a,b:c%.gmn"
    path.write_text(swapped("about: pos", "about: nowhere"))
    return str(path)


def test_github_gets_one_command_for_each_finding(bad: str, capsys: Output) -> None:
    assert main(["validate", bad, "--report", "github"]) == 1
    lines = capsys.readouterr().out.splitlines()
    shown = bad.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    assert all(line.startswith(("::error file=", "::warning ", "::notice ")) for line in lines)
    (error,) = (line for line in lines if line.startswith("::error"))
    assert error.startswith(f"::error file={shown},title=GMN105,line=8,col=")
    assert "nowhere" in error.split("::", 2)[2]


def test_no_text_of_a_document_makes_a_command_of_its_own(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "evil.gmn"
    path.write_text(swapped("about: pos", 'about: "x\\n::error::gone %0A"'))
    main(["validate", str(path), "--report", "github"])
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("::error::") for line in lines)
    assert not any("%0A" in line.split("::", 2)[2] for line in lines)


def test_what_was_repaired_is_a_notice(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "near.gmn"
    path.write_text(swapped("[[0.5, 0.3, 0.2]]", "[[0.5, 0.3, 0.19]]"))
    assert main(["validate", str(path), "--report", "github"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::notice file=")
    assert "title=GMN201" in line
    assert main(["validate", str(path), "--report", "sarif"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("GMN201", "note")


def test_sarif_is_one_log_for_all_files(bad: str, tmp_path: Path, capsys: Output) -> None:
    good = tmp_path / "good.gmn"
    good.write_text(GOOD)
    assert main(["validate", str(good), bad, "--report", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == quote(bad)
    errors = [r for r in run["results"] if r["level"] == "error"]
    assert [r["ruleId"] for r in errors] == ["GMN105"]
    assert errors[0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 8


def test_a_fingerprint_is_that_of_the_model_in_every_spelling() -> None:
    spec = validate(GOOD).spec
    assert spec is not None
    for text in (write_text(spec), write_json(spec), write_json(spec, lean=True)):
        again = validate(text).spec
        assert again is not None
        assert again.fingerprint() == spec.fingerprint()
    other = validate(swapped("gamma: 8", "gamma: 7")).spec
    assert other is not None
    assert other.fingerprint() != spec.fingerprint()
    assert GMNSpec().fingerprint() == GMNSpec().fingerprint()
