"""The mixes of the benchmark: no call more than the best peer takes, with both kinds of model."""

from __future__ import annotations

import pytest

from benchmarks.structured.clients.task import MOST_TRIES, PROMPT, Chain
from benchmarks.structured.model import MIXES, ScriptedModel
from orchestrator import Orchestrator

#: Calls by mix; the best of Instructor, pydantic-ai and DSPy takes 1, 2, 3, 1, 2, 2, 2.
CALLS = {
    "none": 1, "schema-once": 2, "schema-twice": 3, "invalid-json": 1, "wrong-row": 2,
    "wrong-label": 2, "truncated": 2,
}  # fmt: skip
#: Tokens of all mixes together that the best peer takes, which gives up on one of them.
MOST_TOKENS = 9_395


@pytest.mark.parametrize("patches", [True, False])
async def test_no_mix_takes_more_calls_than_the_best_peer(patches: bool) -> None:
    model = ScriptedModel(patches=patches)
    with model.serving():
        for mix in MIXES:
            params = {"model": f"openai/{mix}", "api_base": model.base, "api_key": "none"}
            config = {
                "model_list": [{"model_name": "m", "litellm_params": params}],
                "orchestrator": {
                    "cache": {"mode": "off"},
                    "ledger": {"enabled": False},
                    "generation": {"timeout_s": 60},  # its server speaks no streams
                },
            }
            async with Orchestrator(config) as orc:
                made = await orc.generate_structured(PROMPT, Chain, refine=MOST_TRIES)
            assert made.value.goal == "s6"
    assert {mix: counted.calls for mix, counted in model.counted.items()} == CALLS
    tokens = [one.prompt_tokens + one.completion_tokens for one in model.counted.values()]
    assert sum(tokens) <= MOST_TOKENS
