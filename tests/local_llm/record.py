"""Records what the small model writes, for the tests that hold the loop against it.

python -m tests.local_llm.record http://127.0.0.1:18091

Asks a running tests/local_llm/serve.py (`--n_ctx 4096`) for about a hundred short answers, in a
quarter of an hour on one core. Each line holds what was asked, as far as a test needs it, and what
came; `pieces` are the parts of one that was streamed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from orchestrator.config.paths import shipped
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.staged.questions import numbered
from orchestrator.generation.staged.sheet import read_sheet
from orchestrator.generation.state import Bounds
from orchestrator.gmn.formats.bounded import bounded_patch, bounded_schema
from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.requests import Answer, OutputMode, Request
from orchestrator.types.run_context import RunContext
from tests.support.documents import swapped, without
from tests.support.scripted import said
from tests.support.shapes import SHAPES

RECORDED = Path(__file__).parents[1] / "support" / "smollm2.jsonl"
PROMPTS = Prompts(shipped("prompts", "templates"))
SENTENCES = (
    "a thermostat with states cold, ok and hot that can heat or wait",
    "a cat that hides or eats",
    "a trader that can buy, sell or hold",
    "a 2x2 grid with a goal in the corner",
    "a doctor who tells flu from cold",
    "a robot vacuum that avoids stairs",
    "a gardener who waters dry plants",
    "a door that is open or closed",
    "two workers who share a tool",
    "a lift with three floors",
    "a bee that looks for flowers",
    "ein Roboter, der zwischen Küche und Bad fährt",
)
#: Documents with a fault that a patch could remove.
BROKEN = {
    "row": swapped("[0.8, 0.1, 0.1]", "[0.8, 0.1]"),
    "name": swapped("on: place", "on: plaice"),
    "sum": swapped("[0.5, 0.3, 0.2]", "[0.5, 0.9, 0.9]"),
    "missing": without("node transition"),
    "label": swapped("stay: [0]", "rest: [0]"),
    "kind": swapped("node belief", "node believe"),
}
TALK = (
    ("Say yes.", 12),
    ("What is active inference? One sentence.", 60),
    ("Repeat the word state for ever, with blanks between.", 400),
    ("Count from one upwards in words and never stop.", 400),
    ("Write a JSON list of the numbers from 1 to 500.", 400),
    ("Write a table of a hundred rows of zeros.", 400),
    ("Translate into German: the room is cold.", 40),
    ("Write Python that adds two numbers.", 80),
)
#: What goes round in circles where nothing counts against saying the same again.
CIRCLES = ("List reasons to wait.", "Describe a thermostat as JSON.", "state " * 8)


@dataclass
class Recorder:
    """Asks the server and writes each answer as a line."""

    base: str
    file: TextIO
    count: int = 0

    def __call__(
        self, turns: list[dict[str, Any]], most: int, *, form: Mapping[str, Any] | None = None,
        is_streamed: bool = False, **told: Any,
    ) -> Answer:  # fmt: skip
        """The answer to a conversation; `told` goes into its line."""
        self.count += 1
        body = {
            "model": "any", "messages": turns, "max_tokens": most, "seed": self.count,
            "temperature": 0.0 if self.count % 2 else 0.7, **(form or {}),
        }  # fmt: skip
        text, finish, counts, pieces = (self._streamed if is_streamed else self._whole)(body)
        line = {**told, "most": most, "finish": finish, **counts, "text": text}
        line |= {"pieces": pieces} if pieces else {}
        self.file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
        self.file.flush()
        return said(text, finish=finish)

    def _whole(self, body: Mapping[str, Any]) -> tuple[str, str, dict[str, int], list[str]]:
        answer = httpx.post(f"{self.base}/v1/chat/completions", json=body, timeout=600)
        found = answer.raise_for_status().json()
        choice, used = found["choices"][0], found["usage"]
        counts = {name: used[name] for name in ("prompt_tokens", "completion_tokens")}
        return choice["message"]["content"], choice["finish_reason"], counts, []

    def _streamed(self, body: Mapping[str, Any]) -> tuple[str, str, dict[str, int], list[str]]:
        """This server counts nothing in a stream, where each part is a token."""
        pieces, finish = [], ""
        stream = httpx.stream(
            "POST", f"{self.base}/v1/chat/completions", json={**body, "stream": True}, timeout=600
        )
        with stream as parts:
            for row in parts.iter_lines():
                if not row.startswith("data: {"):
                    continue
                choice = json.loads(row[6:])["choices"][0]
                finish = choice["finish_reason"] or finish
                calls = choice["delta"].get("tool_calls")
                part = calls[0]["function"]["arguments"] if calls else choice["delta"]
                pieces.append(part if isinstance(part, str) else part.get("content") or "")
        pieces = [piece for piece in pieces if piece]
        counts = {"prompt_tokens": 0, "completion_tokens": len(pieces)}
        return "".join(pieces), finish, counts, pieces


def as_json(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The argument that holds an answer to JSON, or to a schema."""
    form = {"type": "json_object"}
    return {"response_format": {**form, "schema": schema} if schema else form}


def as_tool(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that ask for a call of one tool."""
    tool = {"type": "function", "function": {"name": "answer", "parameters": schema}}
    chosen = {"type": "function", "function": {"name": "answer"}}
    return {"tools": [tool], "tool_choice": chosen}


def documents(ask: Recorder) -> None:
    """Whole documents that are cut off early, in each form."""
    for kind, form, most, sentences in (
        ("text", None, 96, SENTENCES),
        ("bounded", as_json(bounded_schema()), 140, SENTENCES),
        ("strict", as_json(strict_schema()), 120, SENTENCES[::2]),
        ("json", as_json(None), 100, SENTENCES[::2]),
        ("tool", as_tool(bounded_schema()), 90, SENTENCES[1::3]),
    ):
        mode = OutputMode.PROMPT if kind == "text" else OutputMode.JSON_OBJECT
        for sentence in sentences:
            made = PROMPTS.generate(sentence, agent_type="general", mode=mode, is_short=True)
            turns = [turn.as_dict() for turn in made.messages]
            ask(turns, most, form=form, is_streamed=kind == "tool", kind=kind, sentence=sentence)


class Following:
    """A completer whose first answer is a broken document; the model answers what follows."""

    def __init__(self, ask: Recorder, broken: str, *, is_held: bool) -> None:
        self._ask, self._broken, self._is_held = ask, broken, is_held
        self._has_begun = False

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The next answer."""
        del context
        if not self._has_begun:
            self._has_begun = True
            return said(BROKEN[self._broken])
        turns = [turn.as_dict() for turn in request.messages]
        form = as_json(bounded_patch()) if self._is_held else None
        kind = "patch" if self._is_held else "patch_in_words"
        return self._ask(turns, 90, form=form, kind=kind, sentence=SENTENCES[0], of=self._broken)


async def follow_ups(ask: Recorder) -> None:
    """What it makes of a document with a fault, twice each."""
    for broken in BROKEN:
        for is_held in (True, False):
            made = PROMPTS.generate(
                SENTENCES[0], agent_type="general", mode=OutputMode.PROMPT, is_short=True
            )
            with contextlib.suppress(InvalidOutputError):
                await refine(
                    Request(made.messages, "small", {"max_tokens": 90}, mode=OutputMode.PROMPT),
                    completer=Following(ask, broken, is_held=is_held), contract=GMNContract(),
                    follow_ups=PROMPTS, bounds=Bounds(3, 3600), context=RunContext(),
                )  # fmt: skip


def closed(ask: Recorder) -> None:
    """Closed questions of staged mode, held to their choices and not."""
    for number, sentence in enumerate(SENTENCES):
        sheet, begin = read_sheet(sentence), 0
        answers: dict[str, str] = {}
        while found := numbered(sheet, answers, begin):
            begin, question = found[0] + 1, found[1]
            made = PROMPTS.staged(sentence, question.words)
            turns = [turn.as_dict() for turn in made.messages]
            slots = {key: [name, list(of)] for key, (name, of) in question.slots.items()}
            for kind in ("choice", "choice_in_words")[: 1 + (number % 2)]:
                form = as_json(question.schema) if kind == "choice" else None
                most = question.most_tokens if form else 40
                told: dict[str, Any] = {"kind": kind, "sentence": sentence, "slots": slots}
                got = ask(turns, most, form=form, asked=question.text, **told)
                answers = {**answers, **question.read(got.text)} if form else answers


def shapes(ask: Recorder) -> None:
    """Small objects, held to a schema, called as a tool, and cut off."""
    words = "It is a grey day in May, 12 degrees; Ann and Bo have paid 3 of 4 bills."
    for name, shape in SHAPES.items():
        schema = shape.model_json_schema()
        turns = [{"role": "user", "content": f"{words} Fill in: {name}."}]
        for kind, form, most in (
            ("shape", as_json(schema), 120),
            ("shape_tool", as_tool(schema), 120),
            ("shape_in_words", None, 60),
            ("shape", as_json(schema), 7),
        ):
            ask(turns, most, form=form, is_streamed=kind == "shape_tool", kind=kind, sentence=name)


def talk(ask: Recorder) -> None:
    """Plain words, and what goes round in circles."""
    for words, most in TALK:
        turns = [{"role": "user", "content": words}]
        ask(turns, most, is_streamed=most > 80, kind="talk", sentence=words)
    held = as_json(strict_schema())
    for words in CIRCLES:
        turns = [{"role": "user", "content": words}]
        form = {"repeat_penalty": 1.0, "temperature": 0.0, **(held if "JSON" in words else {})}
        ask(turns, 600, form=form, kind="circle", sentence=words)


def main() -> None:
    """Ask for everything."""
    with RECORDED.open("w", encoding="utf-8") as file:
        ask = Recorder(sys.argv[1].rstrip("/"), file)
        for part in (talk, shapes, closed, documents):
            part(ask)
        asyncio.run(follow_ups(ask))


if __name__ == "__main__":
    main()
