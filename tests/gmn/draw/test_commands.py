"""Pictures through the doors of users: commands, files, notebooks."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from orchestrator import Agent, Generation, GMNSpec, Report, Usage
from orchestrator.cli.main import main
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

Output = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[3]
TMAZE = str(ROOT / "prompts/library/tmaze.gmn")
BEGINS = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF", "mmd": b"flowchart LR"}


@pytest.mark.parametrize("suffix", BEGINS)
def test_the_suffix_says_which_picture_it_is(suffix: str, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_text("what was there")
    assert main(["draw", TMAZE, "-o", str(path)]) == 0
    assert path.read_bytes().startswith(BEGINS[suffix])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"drawn into {path}" in captured.err


def test_without_a_file_the_picture_is_printed(capsys: Output) -> None:
    assert main(["draw", TMAZE, "--part", "graph"]) == 0
    whole = capsys.readouterr().out
    ET.fromstring(whole)
    assert main(["draw", TMAZE, "--part", "graph", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["svg"] == whole


def test_an_episode_is_drawn_where_it_is_asked_for(capsys: Output) -> None:
    assert main(["draw", TMAZE]) == 0
    assert "belief: ctx" not in capsys.readouterr().out
    assert main(["draw", TMAZE, "--trace", "--steps", "3", "--seed", "4"]) == 0
    shown = capsys.readouterr().out
    assert "belief: ctx" in shown
    assert "3 steps, seed 4" in shown


def test_a_document_with_errors_is_drawn_and_the_exit_code_says_so(
    tmp_path: Path, capsys: Output
) -> None:
    source, path = tmp_path / "model.gmn", tmp_path / "model.svg"
    source.write_text(swapped("[0.8, 0.1, 0.1]", "[0.8, 0.5, 0.1]"))
    assert main(["draw", str(source), "-o", str(path)]) == 1
    assert "GMN2" in capsys.readouterr().err
    assert "GMN2" in path.read_text()
    source.write_text("nothing")
    path.unlink()
    assert main(["draw", str(source), "-o", str(path)]) == 1
    assert not path.exists()


def test_what_cannot_be_drawn_is_refused_before_work(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {
        ("-o", str(tmp_path / "model.bmp")): "neither .svg nor .png nor .pdf nor .mmd",
        ("-o", str(tmp_path / "none/model.svg")): "cannot be written",
        ("-o", str(tmp_path / "m.mmd"), "--trace"): "Mermaid draws the graph alone",
        ("-o", str(tmp_path / "m.mmd"), "--part", "tables"): "Mermaid draws the graph alone",
    }
    for arguments, words in refused.items():
        assert main(["draw", TMAZE, *arguments]) == 2
        captured = capsys.readouterr()
        assert words in captured.err
        assert captured.out == ""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["draw", TMAZE, "-o", str(tmp_path / "model.png")]) == 2
    assert "[plot]" in capsys.readouterr().err
    assert main(["draw", TMAZE, "-o", str(tmp_path / "model.svg")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.svg"]


def test_simulate_draws_the_episode_that_it_prints(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "episode.svg"
    assert main(["simulate", TMAZE, "--steps", "3", "--plot", str(path)]) == 0
    captured = capsys.readouterr()
    assert "plotted into" in captured.err
    assert "plotted" not in captured.out
    said = path.read_text()
    for words in ("tmaze: 3 steps", "belief: loc", "seen: hint", "action: go", "utility, in nats"):
        assert words in said, words
    assert main(["simulate", TMAZE, "--plot", str(tmp_path / "episode.bmp")]) == 2
    assert capsys.readouterr().out == ""


def test_long_episodes_and_ended_ones_are_drawn() -> None:
    model = validate(GOOD).compiled
    assert model is not None
    text = simulate(model, steps=1000, seed=0).to_svg()
    assert "a column shows the largest of 3 steps" in text
    assert len(text) < 400_000
    ended = validate(swapped("node state pos {", "node state pos { terminal: [c]")).compiled
    assert ended is not None
    ET.fromstring(simulate(ended, steps=20, seed=0).to_svg())


def test_notebooks_show_specs_episodes_and_generations() -> None:
    spec = validate(Path(TMAZE).read_bytes()).spec
    assert isinstance(spec, GMNSpec)
    for shown in (spec._repr_svg_(), spec._repr_html_()):
        assert 'data-name="ctx"' in shown
    model = Agent(spec).model
    run = simulate(model, steps=2, seed=0)
    assert "belief: ctx" in run._repr_svg_()
    assert run._repr_html_() == run._repr_svg_()
    made = Generation(
        spec, "gmn <b>&", attempts=(), usage=Usage(1, 2), cost_usd=0.0, cached=False,
        report=Report(),
    )  # fmt: skip
    assert made._repr_svg_() == spec.to_svg()
    html = made._repr_html_()
    assert html is not None
    assert "gmn &lt;b&gt;&amp;" in html
    ET.fromstring(html)
    other = Generation(
        {"a": 1}, "{}", attempts=(), usage=Usage(1, 2), cost_usd=0.0, cached=False, report=Report()
    )
    assert other._repr_html_() is None
    assert other._repr_svg_() is None


def test_the_picture_of_the_readme_is_what_its_command_draws(tmp_path: Path) -> None:
    path = tmp_path / "model.svg"
    command = ["draw", str(ROOT / "prompts/library/foraging.gmn"), "--part", "graph"]
    assert main([*command, "-o", str(path)]) == 0
    kept = ROOT / "docs" / "foraging.svg"
    assert path.read_text() == kept.read_text(), f"orchestrator {' '.join(command)} -o {kept}"
    assert "docs/foraging.svg" in (ROOT / "README.md").read_text()
