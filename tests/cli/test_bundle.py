"""One file that reproduces a figure: a model, a seed, an engine and the episode they gave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main

TMAZE = str(Path(__file__).parents[2] / "prompts" / "library" / "tmaze.gmn")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def bundle(tmp_path: Path, capsys: Output) -> Path:
    path = tmp_path / "bundle.json"
    made = ["export", TMAZE, "--to", "bundle", "--steps", "4", "--seed", "3", "-o", str(path)]
    assert main(made) == 0
    capsys.readouterr()
    return path


def test_a_bundle_gives_its_own_episode_again(bundle: Path, capsys: Output) -> None:
    kept = json.loads(bundle.read_text())
    assert (kept["seed"], kept["steps"], len(kept["trace"])) == (3, 4, 4)
    assert set(kept["engine"]) == {"orchestrator", "numpy", "python"}
    assert main(["simulate", str(bundle)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the episode of the bundle"
    assert main(["validate", str(bundle)]) == 0
    assert "read as a model with one episode of it" in capsys.readouterr().out


def test_a_bundle_whose_episode_does_not_come_again_says_where(
    bundle: Path, capsys: Output
) -> None:
    kept = json.loads(bundle.read_text())
    kept["trace"][2]["action"] = {"go": "cue"}
    bundle.write_text(json.dumps(kept))
    assert main(["simulate", str(bundle)]) == 1
    assert "differs from the bundle at step 3: action" in capsys.readouterr().out
    assert main(["simulate", str(bundle), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differs_from_bundle"] == "step 3: action"
    assert main(["simulate", str(bundle), "--seed", "4"]) == 0  # another episode, by its own wish
    assert "bundle" not in capsys.readouterr().out


@pytest.mark.parametrize("steps", [10**9, 0, -1, "x", True, None])
def test_a_bundle_may_say_anything_of_its_steps(
    steps: object, bundle: Path, capsys: Output
) -> None:
    kept = json.loads(bundle.read_text())
    bundle.write_text(json.dumps({**kept, "steps": steps, "trace": [1, None]}))
    code = main(["simulate", str(bundle)])
    said = capsys.readouterr()
    assert code in (1, 2)
    assert "Traceback" not in said.err


def test_a_bundle_of_another_version_is_refused(bundle: Path, capsys: Output) -> None:
    kept = json.loads(bundle.read_text())
    bundle.write_text(json.dumps({**kept, "bundle": "9"}))
    assert main(["simulate", str(bundle)]) == 1
    assert "GMN011 error: a bundle of version '9' is not supported" in capsys.readouterr().err


def test_export_wants_a_document_and_a_form_or_finetune(tmp_path: Path, capsys: Output) -> None:
    for wrong in ([], [TMAZE], ["--to", "gnn"], [TMAZE, "--to", "gnn", "--finetune", "x"]):
        assert main(["export", *wrong]) == 2
        assert "name a document and a form" in capsys.readouterr().err
    path = tmp_path / "tmaze.md"
    assert main(["export", TMAZE, "--to", "gnn", "-o", str(path)]) == 0
    assert path.read_text().startswith("## GNNSection")
