"""Sentences of strangers' fields with what each commits to, and how much of that is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.gmn.request.read import read_request

SENTENCES = Path(__file__).parents[1] / "gmn" / "request" / "sentences.jsonl"
_NAMES = frozenset(("states", "observations", "actions", "options", "named"))

Said = tuple[str, Any]


@dataclass(frozen=True)
class Sentence:
    """One sentence with what a person reads in it, written before or after the rules."""

    id: str
    text: str
    wanted: tuple[Said, ...]
    not_understood: tuple[str, ...]
    half: str


def sentences() -> list[Sentence]:
    """All of the file."""
    lines = (json.loads(line) for line in SENTENCES.read_text("utf-8").splitlines())
    return [
        Sentence(
            line["id"],
            line["sentence"],
            tuple((c["kind"], _plain(c["value"])) for c in line["commitments"]),
            tuple(line["not_understood"]),
            line["half"],
        )
        for line in lines
    ]


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_plain(one) for one in value)
    return value.casefold() if isinstance(value, str) else round(float(str(value)), 6)


def compared(one: Sentence) -> tuple[list[Said], list[Said], int]:
    """What was not read, what was read and not meant, and how much was read."""
    reading = read_request(one.text)
    had: list[Said] = [(c.kind, _plain(c.value)) for c in reading.commitments]
    missed = [said for said in one.wanted if not _among(said, had)]
    invented = [said for said in had if not _among(said, one.wanted)]
    return missed, invented, len(had)


def _among(said: Said, others: Any) -> bool:
    """Whether others say the same; of a list of names its role may be left open."""
    kind, value = said
    if said in others:
        return True
    if kind in ("goal", "avoid", "start"):  # a listed name without the word after it
        near = [v for k, v in others if k == kind]
        return any(v.startswith(f"{value} ") or value.startswith(f"{v} ") for v in near)
    if kind not in _NAMES:
        return False
    lists = [(k, v if isinstance(v, tuple) else (v,)) for k, v in others if k in _NAMES]
    names = value if isinstance(value, tuple) else (value,)
    if kind == "named" or all(("named", name) in others for name in names):
        return all(any(name in v for _, v in lists) for name in names)
    return any(v == names and "options" in (k, kind) for k, v in lists)


def shares(half: str) -> tuple[float, float]:
    """Recall and precision over the sentences of one half."""
    wanted = read = meant = found = 0
    for one in sentences():
        if one.half == half:
            missed, invented, count = compared(one)
            wanted, found = wanted + len(one.wanted), found + len(one.wanted) - len(missed)
            read, meant = read + count, meant + count - len(invented)
    return found / wanted, meant / read
