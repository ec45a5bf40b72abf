"""The recipes of docs/batch.md for Ray Data and Prefect, where these are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs/batch.md"
PROMPTS = ["a thermostat for a cold room", "a robot in a 3x3 grid world"]
pytestmark = [
    pytest.mark.may_block,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # both warn about themselves
]


@pytest.mark.parametrize(("package", "recipe"), [("ray", "with_ray"), ("prefect", "with_prefect")])
def test_a_step_answers_every_prompt_in_order(package: str, recipe: str) -> None:
    pytest.importorskip(package)
    scope: dict[str, Any] = {"__name__": "recipes"}
    for block in PAGE.read_text().split("```python\n")[1:]:
        exec(block.split("```")[0], scope)
    documents = scope[recipe](PROMPTS)
    assert documents == scope["answered"]({"prompt": PROMPTS})["document"]
    assert all(len(one) > 100 for one in documents)
