"""What is answered without a language model never loads LiteLLM, which takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "prompts" / "library" / "thermostat.gmn"
RUN = """
import sys
from orchestrator.cli.main import main
code = main(sys.argv[1:])
print("loaded:", "litellm" in sys.modules, code, file=sys.stderr)
"""
COMMANDS = {
    "the embedded provider": (["generate", "a thermostat for a cold room"], 0),
    "a stream of it": (["generate", "a thermostat for a cold room", "--live"], 0),
    "a change": (["refine", str(MODEL), "--feedback", "look 3 steps ahead"], 0),
    "a plan": (["plan", "a thermostat for a cold room"], 0),
    "an unknown route": (["generate", "a thermostat", "--route", "nowhere"], 2),
    "a provider without its key": (["generate", "a thermostat", "--provider", "openai"], 3),
    "the health": (["health"], 0),
}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_it_is_answered_without_litellm(name: str, tmp_path: Path) -> None:
    arguments, code = COMMANDS[name]
    for _ in range(2 if name == "the embedded provider" else 1):  # then from the cache
        ran = subprocess.run(
            [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "HOME": str(tmp_path), "ORCHESTRATOR_CACHE_DIR": str(tmp_path),
                 "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert ran.stderr.splitlines()[-1] == f"loaded: False {code}", ran.stderr
