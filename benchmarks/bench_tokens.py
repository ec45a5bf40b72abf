"""Tokens that a model must write: compact tables compared with dense ones."""

from __future__ import annotations

import json

import tiktoken

from orchestrator.config.paths import shipped
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.validate import validate


def counter() -> tuple[str, object]:
    """Name and encoding of cl100k; a stated estimate and None when it cannot be loaded."""
    try:
        encoding = tiktoken.get_encoding("cl100k_base")
    except Exception as error:  # noqa: BLE001  without a network, tiktoken raises any error of its HTTP client
        return f"characters / 3.2 ({type(error).__name__}: no tokenizer table)", None
    return "cl100k", encoding


def main() -> None:
    """Print one line per curated model, and the median ratio."""
    name, encoding = counter()

    def tokens(text: str) -> int:
        return len(encoding.encode(text)) if encoding else round(len(text) / 3.2)  # type: ignore[attr-defined]

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
