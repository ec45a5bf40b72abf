"""Pictures of an episode: by suffix, refused before work, of any size."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.acting.plot import plotted
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, SHARED

Output = pytest.CaptureFixture[str]
TMAZE = "prompts/library/tmaze.gmn"


@pytest.mark.parametrize(
    ("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_suffix_says_which_picture_it_is(
    suffix: str, begins: bytes, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / f"episode.{suffix}"
    path.write_text("what was there")
    assert main(["simulate", TMAZE, "--steps", "3", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(begins)
    captured = capsys.readouterr()
    assert "plotted into" in captured.err
    assert "plotted" not in captured.out


def test_a_picture_names_what_it_shows(tmp_path: Path) -> None:
    model = validate(SHARED).compiled
    assert model is not None
    path = tmp_path / "episode.svg"
    plotted(simulate(model, steps=5, seed=2), str(path), title="to $ and \x1b[2J")
    text = path.read_text()
    for said in ("belief: pos", "belief: weather", "action: go", "step", "nats", "to $ and \\x1b"):
        assert f"<!-- {said}" in text or said in text, said


def test_nothing_is_simulated_for_a_picture_that_cannot_be_drawn(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in (
        ("episode.bmp", "neither .png nor .svg nor .pdf"),
        ("missing/episode.png", "cannot be written"),
    ):
        assert main(["simulate", TMAZE, "--plot", str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert words in captured.err
        assert captured.out == ""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["simulate", TMAZE, "--plot", str(tmp_path / "episode.png")]) == 2
    assert "[plot]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_long_lists_of_labels_long_episodes_and_ended_ones_are_drawn(tmp_path: Path) -> None:
    labels = ", ".join(f"a_label_that_goes_on_and_on_{n}" for n in range(150))
    text = f"""gmn 1.0
agent long {{ type: explorer }}
node state at {{ labels: [{labels}] }}
node observation seen {{ labels: [{labels}] }}
node action go {{ labels: [back, on] }}
node emission A {{ from: [at] to: seen identity }}
node transition B {{ from: [go, at] to: at shift moves: {{back: [-1], on: [1]}} }}
node preference C {{ on: seen goals: {{a_label_that_goes_on_and_on_9: 1}} }}
node policy pi {{ horizon: 1 gamma: 2 }}
"""
    long, ends = validate(text, run_steps=0).compiled, validate(GOOD).compiled
    assert long is not None
    assert ends is not None
    path = tmp_path / "long.svg"
    plotted(simulate(long, steps=300, seed=0), path)
    drawn = path.read_text()
    assert "one in 9 of its 150 labels is named" in drawn
    assert "a_label_that…_on_and_on_9" in drawn
    ends = replace(ends, terminal=(np.array([False, False, True]),))
    plotted(simulate(ends, steps=20, seed=0), tmp_path / "ended.png")
