"""How much of a sentence is in the documents of staged mode: per set of sentences and model.

python -m benchmarks.staged [--server http://127.0.0.1:18090/v1] [--most 40]

Models: one that answers at random within its grammar, an oracle that knows the right choices, and
what a server answers. `relations` are the choices that are right, of sentences with known answers.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.paths import shipped
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.staged.staging import Staging
from orchestrator.generation.state import Bounds
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Answer, Description, OutputMode, Request, Usage
from orchestrator.types.run_context import RunContext
from tests.support.closed import Answering, at_random, by_key
from tests.support.commitments import sentences

PROMPTS = Prompts(shipped("prompts", "templates"))
KNOWN = Path(__file__).with_name("staged.jsonl")
MOST_CALLS = 12
#: Times that sentences with known answers are asked of the model that answers at random: few of its
#: choices are right, and by chance.
ROUNDS = 5


class Served:
    """A completer that asks a server in OpenAI's format, with the schema as it is."""

    def __init__(self, base: str) -> None:
        self._url = f"{base.rstrip('/')}/chat/completions"

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The server's answer."""
        del context
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: Request) -> Answer:
        form = {"type": "json_object", "schema": request.schema}
        body = {
            "model": "any",
            "messages": [turn.as_dict() for turn in request.messages],
            "response_format": form,
            "max_tokens": request.max_tokens,
            "temperature": 0.0,
        }
        asked = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=600) as response:
            said = json.load(response)
        choice, used = said["choices"][0], said["usage"]
        usage = Usage(used["prompt_tokens"], used["completion_tokens"])
        return Answer(choice["message"]["content"], choice["finish_reason"], usage=usage)


async def measured(
    cases: Sequence[tuple[str, Mapping[str, str]]], model: Callable[[Mapping[str, str]], Any]
) -> Counter[str]:
    """Documents, calls, tokens and what fits, over sentences with the right choices of each."""
    found = Counter[str]()
    for text, key in cases:
        first = Request(
            (LLMMessage(LLMRole.USER, text),), "default", parameters={"max_tokens": 512}
        )
        staging = Staging(text, PROMPTS, OutputMode.JSON_SCHEMA, MOST_CALLS, is_first=True)
        found["sentences"] += 1
        begun = time.monotonic()
        try:
            made = await refine(
                first, completer=model(key), contract=GMNContract(asked=Description(text)),
                follow_ups=PROMPTS, context=RunContext(), bounds=Bounds(deadline_s=900),
                staging=staging,
            )  # fmt: skip
        except InvalidOutputError as error:
            found["calls"] += len(error.attempts)
            continue
        found["valid"] += 1
        found["milliseconds"] += round(1000 * (time.monotonic() - begun))
        found["calls"] += len(made.attempts)
        found["read"] += made.usage.prompt_tokens
        found["wrote"] += made.usage.completion_tokens
        found["most"] = max(found["most"], made.usage.completion_tokens)
        fits = made.report.fits
        if fits is not None:
            found["fulfilled"] += fits.fulfilled
            found["of"] += fits.of
            found["whole"] += not fits.unmet
        answered = made.spec.meta("assumptions").partition(". Simulation")[0]
        parts = answered.removeprefix("a model answered: ").split("; ")
        said = dict(part.rsplit(" ", 1) for part in parts if " " in part)
        asked = {slot_of(name): choice for name, choice in said.items()}
        found["relations"] += sum(asked.get(name) == choice for name, choice in key.items())
        found["of_relations"] += sum(name in asked for name in key)
    return found


def slot_of(key: str) -> str:
    """The slot under which a question asks for what is kept under a key."""
    head, _, name = key.partition(":")
    return f"list_{int(name) + 1}" if head == "role" else name or head


def line(of: str, model: str, found: Counter[str]) -> str:
    """The figures of one set and model in words."""
    valid = max(found["valid"], 1)
    right = f"; relations right {found['relations']} of {found['of_relations']}"
    return (
        f"staged: {of}, {model}: valid and running {found['valid']} of {found['sentences']};"
        f" fits {found['fulfilled']} of {found['of']} commitments, all of them in {found['whole']}"
        f" documents; {found['calls'] / found['sentences']:.1f} calls,"
        f" {found['read'] / valid:.0f} tokens read, {found['wrote'] / valid:.0f} written"
        f" (most {found['most']}), {found['milliseconds'] / valid / 1000:.1f} s"
        + (right if found["of_relations"] else "")
    )


def cases() -> dict[str, list[tuple[str, Mapping[str, str]]]]:
    """The sets of sentences, each with the choices that are known to be right."""
    sets: dict[str, list[tuple[str, Mapping[str, str]]]] = {
        f"sentences written {half} the rules": [
            (one.text, {}) for one in sentences() if one.half == half
        ]
        for half in ("before", "after")
    }
    lines = [json.loads(one) for one in KNOWN.read_text("utf-8").splitlines()]
    sets["sentences with known answers"] = [(one["sentence"], one["key"]) for one in lines]
    return sets


def _is_up(base: str) -> bool:
    try:
        urllib.request.urlopen(f"{base}/models", timeout=20).close()
    except (urllib.error.URLError, TimeoutError):
        return False
    return True


def main() -> int:
    """Print the figures; return 1 when a document of a model that follows grammars is not valid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:18090/v1")
    parser.add_argument("--most", type=int, default=1000, help="sentences of each set")
    parser.add_argument("--only", default="", help="sets whose name holds this")
    arguments = parser.parse_args()
    seeds = itertools.count()
    models: dict[str, Callable[[Mapping[str, str]], Any]] = {
        "answers at random": lambda _: Answering(at_random(next(seeds))),
        "an oracle": lambda key: Answering(by_key(key)),
    }
    if _is_up(arguments.server):
        models["the server"] = lambda key: Served(arguments.server)
    is_bad = False
    for of, listed in cases().items():
        if arguments.only not in of:
            continue
        has_keys = any(key for _, key in listed)
        for name, model in models.items():
            if name == "an oracle" and not has_keys:
                continue
            rounds = ROUNDS if has_keys and name == "answers at random" else 1
            found = asyncio.run(measured(listed[: arguments.most] * rounds, model))
            is_bad |= found["valid"] < found["sentences"] and name != "the server"
            print(line(of, name, found), flush=True)
    return int(is_bad)


if __name__ == "__main__":
    raise SystemExit(main())
