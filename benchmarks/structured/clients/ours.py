"""This package."""

from __future__ import annotations

from task import MOST_TRIES, PROMPT, Chain, run

from orchestrator import Orchestrator


def ask(base: str, mix: str) -> object:
    """One answer."""
    params = {"model": f"openai/{mix}", "api_base": base, "api_key": "none"}
    config = {
        "model_list": [{"model_name": "m", "litellm_params": params}],
        "orchestrator": {"cache": {"mode": "off"}, "ledger": {"enabled": False}},
    }
    orchestrator = Orchestrator(config)
    made = orchestrator.sync.generate_structured(PROMPT, Chain, refine=MOST_TRIES)
    orchestrator.sync.close()
    return made.value


run(ask)
