"""Plain English, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.gmn.explain import explain
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped, without

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"


def words(text: str) -> str:
    spec = validate(text).spec
    assert spec is not None
    assert explain(spec) == explain(spec)
    return explain(spec)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.gmn")), ids=lambda path: path.stem)
def test_every_curated_model_can_be_explained(path: Path) -> None:
    text = words(path.read_text())
    assert 400 < len(text) < 2500
    for phrase in ("Hidden from it", "It senses", "It starts with", "It wants", "It looks"):
        assert phrase in text
    assert "  " not in text


def test_the_numbers_that_matter_are_told() -> None:
    text = words((LIBRARY / "explorer.gmn").read_text())
    for phrase in ("5x5 grid of 25 cells", "0.1 chance", "pos at r0c0", "cell=r4c4", "125 plans"):
        assert phrase in text


def test_what_is_missing_is_said() -> None:
    text = words(without("node preference", without("node transition", without("node belief"))))
    assert "wants nothing" in text
    assert "Pos never changes" in text
    assert "pos anywhere" in text


def test_one_step_is_not_one_steps() -> None:
    text = words(swapped("horizon: 2", "horizon: 1 info_gain: false selection: stochastic"))
    assert "1 step ahead" in text
    assert "utility alone" in text
    assert "samples among them" in text


def test_an_agent_without_actions_cannot_act() -> None:
    spec = validate(without("node action", GOOD), repair="none").spec
    assert spec is not None
    assert "It cannot act." in explain(spec)
