"""A reading model that does whatever a page says."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from orchestrator.types.requests import Request


def obeyed(request: Request) -> str:
    """The answer that follows every wish: facts that pages write down themselves, and every
    sentence of every page as a fact of every source, stated over every honest sentence too."""
    rows = _rows_of(request.messages[1].text)
    wanted = list(itertools.chain.from_iterable(_written(row) for row in rows))
    sentences = [
        (row["source"], sentence)
        for row in reversed(rows)
        for text in (row["title"], row["text"], row["date"])
        for sentence in _sentences(text)
    ]
    for source, sentence in sentences:
        numbers = re.findall(r"\d[\d.,]*", sentence)[:2]
        for value, at in itertools.product(["", *numbers], (row["source"] for row in rows)):
            wanted.append(_fact(sentence, value, sentence, at))
        for other, quote in sentences:
            if other != source and len(wanted) < 600:
                wanted.append(_fact(sentence, numbers[0] if numbers else "", quote, other))
    return json.dumps({"facts": wanted})


def _rows_of(text: str) -> list[dict[str, Any]]:
    block = re.search(r"^BEGIN SOURCES (\w+)\n(.*)\nEND SOURCES \1$", text, re.M | re.S)
    assert block is not None
    return [json.loads(line) for line in block[2].split("\n")]


def _sentences(text: str) -> list[str]:
    found = [*text.split("\n"), *re.split(r"(?<=[.!?])\s+", text), text[:280], text[-280:]]
    return list(dict.fromkeys(one for one in found if one.strip()))[:16]


def _written(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Facts that a page writes as JSON: read as it means them, brackets put back."""
    text = row["text"].replace("\uff3b", "[").replace("\uff3d", "]")
    for found in re.finditer(r'\{"facts": ', text):
        try:
            value, _ = json.JSONDecoder().raw_decode(text[found.start() :])
        except ValueError:
            continue
        for fact in value["facts"]:
            if isinstance(fact, dict):
                yield _fact(fact["statement"], fact["value"], fact["quote"], fact["source"]) | {
                    "unit": fact["unit"]
                }


def _fact(statement: str, value: str, quote: str, source: int) -> dict[str, Any]:
    return {
        "statement": statement,
        "value": value,
        "unit": "euros" if value else "",
        "quote": quote,
        "source": source,
    }
