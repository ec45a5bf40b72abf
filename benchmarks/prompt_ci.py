"""Evaluates scripted faulty models with fixed seeds and compares with the recorded figures.

Each model answers from the curated library: a share of its documents has a fault, a share of its
patches is wrong, some answers are wrapped in prose or refused. A difference between two runs comes
from templates, repairs, checks or the loop, because the models do not change.

    python -m benchmarks.prompt_ci          fails when a figure got worse
    python -m benchmarks.prompt_ci --write  records the new figures
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch

from benchmarks.fits import lines as fits_lines
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.paths import shipped
from orchestrator.generation.evaluation.evaluate import (
    EvaluationRun,
    evaluate,
    load_cases,
    summed,
    worse,
)
from orchestrator.generation.gmn_contract import to_name_keyed_model
from orchestrator.gmn.examples import load
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.routing.offline.answer import write_model
from tests.support.wire import Reply, WireServer, configured
from tests.wire.protocols import Asked

KEPT = Path(__file__).with_suffix(".json")
SLACK = 0.02

Tree = dict[str, Any]


@dataclass(frozen=True)
class Habits:
    """Probabilities of the faults of one scripted model."""

    faulty: float
    wrong_patch: float
    prose: float
    refuses: float


MODELS = {
    "careful": Habits(faulty=0.1, wrong_patch=0.0, prose=0.0, refuses=0.0),
    "sloppy": Habits(faulty=0.7, wrong_patch=0.4, prose=0.3, refuses=0.0),
    "moody": Habits(faulty=0.3, wrong_patch=0.2, prose=0.6, refuses=0.2),
}


_ASKED = re.compile(r'^Agent type: (\w+)\n.*?"""\n(.*)\n"""$', re.DOTALL | re.MULTILINE)
_VIEW = re.compile(r"```json\n(.*)\n```", re.DOTALL)


def _goal_on_nothing(tree: Tree) -> None:
    tree["preferences"][0]["on"] = "nowhere"


def _unknown_parent(tree: Tree) -> None:
    tree["transitions"][0]["given"][0] = "elsewhere"


def _noise_beyond_one(tree: Tree) -> None:
    tree["likelihoods"][0]["table"]["noise"] = 1.4


def _no_likelihood(tree: Tree) -> None:
    tree["likelihoods"].pop(0)


def _label_twice(tree: Tree) -> None:
    labels = tree["actions"][0]["labels"]
    labels[-1:] = labels[:1]


FAULTS: tuple[Callable[[Tree], None], ...] = (
    _goal_on_nothing, _unknown_parent, _noise_beyond_one, _no_likelihood, _label_twice,
)  # fmt: skip


class Faulty:
    """The scripted models behind one server, which answer with a document or with a patch."""

    def __init__(self) -> None:
        self._good: dict[str, GMNSpec] = {}
        self._asked: Counter[str] = Counter()

    def reply(self, asked: Asked) -> Reply:
        """The answer of the model named in the request."""
        habits = MODELS[asked.model]
        messages = asked.body["messages"]
        last = str(messages[-1]["content"])
        if "JSON Patch" in last:  # of the document that was shown last
            shown = (_VIEW.search(str(turn["content"])) for turn in reversed(messages))
            view = next(found for found in shown if found is not None)
            return self._patch(asked.model, habits, json.loads(view[1]))
        first = messages[1 if messages[0]["role"] == "system" else 0]
        asked_for = _ASKED.search(str(first["content"]))
        assert asked_for is not None
        library = load(shipped("prompts", "library"))
        good = write_model(asked_for[2], asked_for[1], {}, library)
        prompt = good.meta("prompt") or good.name
        self._good[f"{asked.model}:{prompt}"] = good
        dice = self._dice(asked.model, prompt)
        if dice.random() < habits.refuses:
            return Reply("I'm sorry, but I cannot help with that.")
        text = write_text(self._spoiled(good, dice) if dice.random() < habits.faulty else good)
        return Reply(
            f"Of course!\n```\n{text}```\nEnjoy." if dice.random() < habits.prose else text
        )

    def _dice(self, model: str, prompt: str) -> random.Random:
        key = f"{model}:{prompt}"
        self._asked[key] += 1
        return random.Random(f"{key}:{self._asked[key]}")

    @staticmethod
    def _spoiled(good: GMNSpec, dice: random.Random) -> GMNSpec:
        tree = good.to_json()
        dice.choice(FAULTS)(tree)
        return GMNSpec.model_validate(tree)

    def _patch(self, model: str, habits: Habits, view: Tree) -> Reply:
        prompt = view.get("metadata", {}).get("prompt") or view["name"]
        good = self._good[f"{model}:{prompt}"]
        dice = self._dice(model, prompt)
        wanted = self._spoiled(good, dice) if dice.random() < habits.wrong_patch else good
        return Reply(json.dumps(jsonpatch.make_patch(view, to_name_keyed_model(wanted)).patch))


async def evaluated(base: str, model: str) -> EvaluationRun:
    """The scores of one model."""
    cases = load_cases(shipped("prompts", "eval.yaml"))
    config = configured(
        base, model, generation={"mode": "prompt"}, cache={"mode": "off"},
        ledger={"enabled": False},
    )  # fmt: skip
    async with Orchestrator(config) as orc:
        outcomes = await evaluate(orc.generate_gmn, cases, parallel=1)
        return summed(outcomes, route=model, templates=orc.templates)


def main() -> int:
    """Print the scores of every model; return 1 when one is worse than its recorded scores."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="record the new figures")
    is_written = arguments.parse_args().write
    server = WireServer()
    server.decide = Faulty().reply
    made = {model: asyncio.run(evaluated(server.base, model)) for model in MODELS}
    server.stop()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    said, bad = fits_lines()
    for line in said:
        print(line)
    for model, now in made.items():
        one = now.scores["all"]
        shares = " ".join(f"{share:.0%}" for share in one.valid_at)
        print(
            f"prompt-ci: {model}: valid after 1 to 4 calls {shares}, runs {one.runs:.0%},"
            f" {one.calls or 0:.2f} calls and {one.tokens or 0:.0f} tokens per valid model,"
            f" templates {now.templates}"
        )
        if model in kept and not is_written:
            before = EvaluationRun.from_dict(kept[model])
            for words in worse(one, before.scores["all"], slack=SLACK):
                bad = True
                print(f"prompt-ci: {model} got worse: {words}")
    if is_written:
        KEPT.write_text(json.dumps({m: e.as_dict() for m, e in made.items()}, indent=1) + "\n")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
