"""Sentences with what a right model of each has, and what the embedded provider makes of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.paths import shipped
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.examples import load
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.request.commitment import Commitment, RequestReading, TextSpan
from orchestrator.gmn.request.fits import fits_of_reading
from orchestrator.gmn.request.labels import is_near
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.answer import questions_of, write_model
from orchestrator.types.fits import Fits

SENTENCES = Path(__file__).parents[1] / "routing" / "offline" / "sentences.jsonl"


@dataclass(frozen=True)
class Wanted:
    """One sentence with what a person reads in it, and whether it says enough for a model."""

    id: str
    half: str
    text: str
    reading: RequestReading
    labels: dict[str, list[str]]
    behaves: tuple[str, ...]
    is_enough: bool


@dataclass(frozen=True)
class Built:
    """What became of a sentence: a model, or questions.

    Attributes:
        fits: of the commitments that a person reads; empty where questions are asked.
        wrong: what a right model has and this one has not.
    """

    spec: GMNSpec
    questions: tuple[str, ...]
    fits: Fits
    wrong: tuple[str, ...]

    @property
    def ignored(self) -> list[str]:
        """Commitments that are not in the model, and of which nothing says so."""
        said = set(re.findall(r"[\w ]+", self.spec.meta("assumptions")))
        said |= {word for part in said for word in part.split()}
        return [o.value for o in self.fits.unmet if o.outcome == "missing" and o.value not in said]


def sentences(half: str = "") -> list[Wanted]:
    """All of the file, or those of one part: ``tuned`` and ``strangers`` while rules were written,
    the others (``kept back``, ``fresh``, ``unseen``) after them."""
    lines = (json.loads(line) for line in SENTENCES.read_text("utf-8").splitlines())
    return [
        Wanted(
            line["id"],
            line["half"],
            line["sentence"],
            RequestReading(line["sentence"], tuple(_commitments(line))),
            line["labels"],
            tuple(line["behaves"]),
            line["is_enough"],
        )
        for line in lines
        if half in ("", line["half"])
    ]


def _commitments(line: dict[str, object]) -> Iterator[Commitment]:
    said = line["commitments"]
    assert isinstance(said, list)
    for one in said:
        start = str(line["sentence"]).index(one["text"])
        value = tuple(one["value"]) if isinstance(one["value"], list) else one["value"]
        rule = "list after a noun" if one["kind"] != "actions" else "list after a verb"
        yield Commitment(one["kind"], value, TextSpan(start, start + len(one["text"])), rule)


def built(one: Wanted) -> Built:
    """What the embedded provider makes of a sentence, held against what a person wants."""
    spec = write_model(one.text, "general", {}, load(shipped("prompts", "library")))
    if questions := questions_of(spec):
        return Built(spec, questions, Fits(), ())
    expectations = [wanted for text in one.behaves if (wanted := _expectation(text, spec))]
    verdict = validate(spec, expectations=expectations)
    assert verdict.spec is not None, verdict.report.errors
    assert verdict.compiled is not None, verdict.report.errors
    fits = fits_of_reading(one.reading, verdict.spec, verdict.compiled)
    wrong = [f"{kind} {', '.join(names)}" for kind, names in one.labels.items()
             if not _has(spec, kind, names)]  # fmt: skip
    wrong += [f"{o.kind} {o.value}: {o.where}" for o in fits.unmet]
    wrong += [str(d) for d in verdict.report.errors]
    if len(expectations) < len(one.behaves):
        wrong.append(f"no label for {'; '.join(one.behaves)}")
    return Built(spec, (), fits, tuple(wrong))


def _has(spec: GMNSpec, kind: str, names: list[str]) -> bool:
    variables = [v for k, v in spec.variables() if k == kind]
    return any(all(any(is_near(n, label) for label in v.names) for n in names) for v in variables)


def _expectation(text: str, spec: GMNSpec) -> Expectation | None:
    """``?=warm within 6 in 80%`` of the variable that has such a value, states first."""
    label = text.partition("?=")[2].split()[0]
    all_names = {name for _, variable in spec.variables() for name in variable.names}
    for kind, variable in spec.variables():
        for name in variable.names:
            if kind != "action" and (name == label if label in all_names else is_near(label, name)):
                return Expectation.parse(text.replace(f"?={label}", f"{variable.name}={name}"))
    return None


def tally(half: str) -> Counter[str]:
    """The figures over one half of the sentences."""
    found = Counter[str]()
    for one in sentences(half):
        made = built(one)
        found["sentences"] += 1
        found["refused"] += bool(made.questions)
        found["models"] += not made.questions
        found["right"] += not made.questions and not made.wrong
        found["of"] += made.fits.of
        found["honoured"] += made.fits.fulfilled
        found["contradicted"] += sum(o.outcome == "contradicted" for o in made.fits.commitments)
        found["ignored"] += len(made.ignored)
        found["rightly"] += bool(made.questions) != one.is_enough
        found["enough"] += one.is_enough
    return found
