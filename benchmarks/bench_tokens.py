"""Tokens that a model must write, compact tables against dense ones, and those of each prompt.

Also how far estimates of tokens, which need no tokenizer, are from what is counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import tiktoken

from orchestrator.config.paths import shipped
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.request_building import examples_for
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.routing.output_modes import tightened
from orchestrator.types.requests import OutputMode

RECORDED = Path(__file__).parents[1] / "tests" / "support" / "smollm2.jsonl"


def counter() -> tuple[str, object]:
    """Name and encoding of cl100k; a stated estimate and None when it cannot be loaded."""
    if litellm := importlib.util.find_spec("litellm"):  # which brings the table; not loaded here
        table = Path(str(litellm.origin)).parent / "litellm_core_utils" / "tokenizers"
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(table))
    try:
        encoding = tiktoken.get_encoding("cl100k_base")
    except Exception as error:  # noqa: BLE001  without a network, tiktoken raises any error of its HTTP client
        return f"characters / 3.2 ({type(error).__name__}: no tokenizer table)", None
    return "cl100k", encoding


def print_prompts(tokens: Callable[[str], int]) -> None:
    """Print the tokens of a first question with one example, per output mode."""
    sentence = "a cautious explorer for a 5x5 grid who must reach the corner"
    shown = examples_for(sentence, "explorer", None, count=1)
    prompts = Prompts(shipped("prompts", "templates"))
    schema = json.dumps(tightened(strict_schema()), separators=(",", ":"))
    for mode in OutputMode:
        asked = prompts.generate(sentence, agent_type="explorer", mode=mode, examples=shown)
        parts = [turn.text for turn in asked.messages] + [schema] * mode.sends_schema
        counts = [tokens(part) for part in parts]
        characters = sum(map(len, parts)) / 3.2
        print(f"prompt: {mode}: {sum(counts)} tokens {counts}; characters / 3.2: {characters:.0f}")


def print_estimates(name: str, tokens: Callable[[str], int]) -> None:
    """Print how often an estimate is within a fifth of what is counted, and the widest misses."""
    recorded = map(json.loads, RECORDED.read_text("utf-8").splitlines())
    counted = {
        "SmolLM2, its recorded answers of 40 tokens and more": [
            (one["text"], one["completion_tokens"])
            for one in recorded
            if one["completion_tokens"] >= 40
        ],
        f"{name}, curated documents": [
            (text, tokens(text))
            for path in sorted(shipped("prompts", "library").glob("*.gmn"))
            for text in [path.read_text(encoding="utf-8")]
        ],
    }
    for of, pairs in counted.items():
        ratios = sorted(estimated_tokens(text) / tokens for text, tokens in pairs)
        near = sum(0.8 <= ratio <= 1.2 for ratio in ratios)
        print(
            f"estimate: {of}: {near} of {len(ratios)} within a fifth; ratio {ratios[0]:.2f} to"
            f" {ratios[-1]:.2f}, median {ratios[len(ratios) // 2]:.2f}"
        )


def main() -> None:
    """Print one line per output mode and per curated model, and the median ratio."""
    name, encoding = counter()

    def tokens(text: str) -> int:
        return len(encoding.encode(text)) if encoding else round(len(text) / 3.2)  # type: ignore[attr-defined]

    print_prompts(tokens)
    print_estimates(name, tokens)
    ratios: list[float] = []
    for path in sorted(shipped("prompts", "library").glob("*.gmn")):
        spec = validate(path.read_text(encoding="utf-8")).spec
        assert spec is not None
        bare = spec.model_copy(update={"metadata": (), "description": ""})
        arrays = compile_spec(spec).to_json()
        dense = tokens(json.dumps({key: arrays[key] for key in "ABCD"}, separators=(",", ":")))
        text, lean, fat = (
            tokens(form)
            for form in (
                write_text(bare),
                write_json(bare, lean=True, indent=None),
                write_json(bare, indent=None),
            )
        )
        ratios.append(dense / text)
        print(f"tokens: {path.stem}: text {text}, lean {lean}, fat {fat}, dense {dense}")
    print(
        f"tokens: dense over text, {name}: ratio {sorted(ratios)[len(ratios) // 2]:.3g} "
        f"(from {min(ratios):.3g} to {max(ratios):.3g} over {len(ratios)} models)"
    )


if __name__ == "__main__":
    main()
