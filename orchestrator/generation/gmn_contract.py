"""What a valid GMN answer is, for the loop."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.generation.answers import NOTES, UNFINISHED, PatchEvaluator, with_finding
from orchestrator.generation.contract import explained, read_beginning
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.acting.walk import EPISODES
from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.formats.candidates import is_same_model
from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.gmn.imports import read
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import Entry, GMNSpec
from orchestrator.gmn.validate import Also, RepairMode, Source, Validation, validate
from orchestrator.parsing.json_patch import from_name_keyed, pointer_in, root_names, to_name_keyed
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.json_reader import unfence
from orchestrator.routing.offline.answer import still_to_be_said, write_model
from orchestrator.types.cached import cached_property
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.requests import Evaluation, PartialReading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.types.requests import AnswerKind, Description
    from orchestrator.types.searching import Citation

#: Raise it whenever the same text could be evaluated differently.
CHECKS_VERSION = "11"
_ASSUMPTIONS = "assumptions"
_BRACE = re.compile("[{}]")
_SOURCE = re.compile(r"source_\d+")

_KEYS = {
    "states": "name", "observations": "name", "actions": "name", "likelihoods": "of",
    "transitions": "of", "priors": "of", "preferences": "on", "habits": "action",
    "queries": "name",
}  # fmt: skip
_NAMED = {
    "properties": {
        section: {"type": "array", "items": {"x-key": key}} for section, key in _KEYS.items()
    }
}


#: Verdicts of one orchestrator; a text that is longer is judged again.
MOST_VERDICTS = 64
LONGEST_REMEMBERED = 20_000


@dataclass(frozen=True)
class Verdicts:
    """The last verdicts, each under everything it depends on: judging takes most of a cache hit."""

    kept: dict[object, Evaluation[GMNSpec]] = field(default_factory=dict)

    def of(self, key: object, judge: Callable[[], Evaluation[GMNSpec]]) -> Evaluation[GMNSpec]:
        """The verdict under `key`; `judge` gives it where it is not known."""
        found = self.kept.pop(key, None) or judge()
        while len(self.kept) >= MOST_VERDICTS:
            self.kept.pop(next(iter(self.kept), None), None)
        self.kept[key] = found  # the last to be forgotten
        return found


@dataclass(frozen=True)
class GMNContract:
    """A document is accepted when it is valid, runs, and meets the expectations.

    Attributes:
        constraints: bounds of the request, for example ``{"max_states": 25}``.
        expectations: behaviour to simulate.
        repair: which local repairs are applied first.
        episodes: episodes per expectation.
        description: what expectations are inferred from; empty to infer none.
        keeps_metadata: whether the document is a user's, to whose metadata nothing is added
            silently.
        shown: the documents that the question shows as examples; a copy of one is not an answer.
        asked: what a fresh document is asked for, None for a change of one that is there.
        sources: what the question showed facts of; accepted documents list them in the metadata.
        fits: what too little of the sentence in a fresh document is; ``off``: it is not compared.
        fits_share: the least share of its commitments.
        is_embedded: whether the embedded provider answers, of which that share is asked always.
        verdicts: where verdicts on answers are remembered; None for nowhere.
        _beginning: the closed nodes of the text that was read last while it arrived.
    """

    limits: Limits = DEFAULT_LIMITS
    constraints: Mapping[str, int] = field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()
    repair: RepairMode = "safe"
    episodes: int = EPISODES
    description: str = ""
    keeps_metadata: bool = False
    shown: tuple[str, ...] = ()
    asked: Description | None = None
    sources: tuple[Citation, ...] = ()
    fits: Literal["off", "warning", "error"] = "warning"
    fits_share: float = 0.5
    is_embedded: bool = False
    verdicts: Verdicts | None = field(default=None, compare=False, repr=False)
    _beginning: dict[str, PartialReading | None] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def name(self) -> str:
        """The name that providers see beside the schema."""
        return "gmn"

    @property
    def version(self) -> str:
        """Changes whenever the same text could be evaluated differently."""
        return CHECKS_VERSION

    @property
    def accepts_cut_off(self) -> bool:
        """False: a document without its end lacks parts that cannot be made up."""
        return False

    @cached_property
    def schema(self) -> Mapping[str, object]:
        """The strict JSON schema of a document."""
        return strict_schema()

    def evaluate(self, text: str) -> Evaluation[GMNSpec]:
        """Read, type, check, repair, compile, run, and simulate the expectations."""
        if self.verdicts is None or len(text) > LONGEST_REMEMBERED:
            return self._judged(text)
        asked = self.asked
        key = (
            text, self.limits, self.repair, self.episodes, self.description, self.expectations,
            frozenset(self.constraints.items()), self.shown, self.sources,
            asked and (asked.sentence, asked.agent_type, frozenset(asked.constraints.items())),
            self.fits, self.fits_share, self.is_embedded,
        )  # fmt: skip
        return self.verdicts.of(key, lambda: self._judged(text))

    def _judged(self, text: str) -> Evaluation[GMNSpec]:
        return self._evaluation(
            self._validate(text, lambda verdict: [*_cut_off(verdict), *self._copied(verdict)])
        )

    def evaluate_source(self, source: Source, kind: str = "") -> Evaluation[GMNSpec]:
        """The same for a document in any form; one of a person needs no line ``end``.

        `kind` says what it is where it could be several: one of ``imports.KINDS``.
        """
        return self._evaluation(self._validate(source, kind=kind))

    def _validate(self, source: Source, also: Also | None = None, kind: str = "") -> Validation:
        verdict = self._held_to(source, self.expectations, also, kind)
        if not self.description or verdict.spec is None or not verdict.report.is_accepted:
            return self._fitted(verdict)
        # Most of what a process judges first is not held against a sentence.
        from orchestrator.gmn.request.inferred import inferred_from  # noqa: PLC0415

        inferred = inferred_from(self.description, verdict.spec)
        if inferred:
            verdict = self._held_to(source, (*self.expectations, *inferred), also, kind)
        return self._fitted(verdict)

    def _held_to(
        self, source: Source, expectations: tuple[Expectation, ...], also: Also | None, kind: str
    ) -> Validation:
        return validate(
            source,
            limits=self.limits,
            repair=self.repair,
            constraints=self.constraints,
            expectations=expectations,
            episodes=self.episodes,
            also=also,
            kind=kind,
        )

    def _fitted(self, verdict: Validation) -> Validation:
        """The verdict with what the sentence commits to and where it stands in the document."""
        spec, model, asked = verdict.spec, verdict.compiled, self.asked
        if spec is None or model is None or asked is None:
            return verdict
        if words := still_to_be_said(spec, load_library()):
            found = (*verdict.report.diagnostics, finding(UNFINISHED, words))
            return replace(verdict, report=replace(verdict.report, diagnostics=found))
        if self.fits == "off":
            return verdict
        from orchestrator.gmn.request.fits import with_fits  # noqa: PLC0415

        least = self.fits_share if self.is_embedded or self.fits == "error" else 0.0
        report = with_fits(verdict.report, asked.sentence, spec, model, least=least)
        return replace(verdict, report=report)

    def _copied(self, verdict: Validation) -> list[Diagnostic]:
        """The finding that a document is a copy of an example, where that was not asked for."""
        spec, asked = verdict.spec, self.asked
        if spec is None or asked is None:
            return []
        shown = (_shown(text) for text in self.shown)
        copied = next((one for one in shown if one and is_same_model(one, spec)), None)
        if copied is None:
            return []
        wanted = [e for e in load_library() if _words(e.prompt) == _words(asked.sentence)]
        if any(is_same_model(example.spec, spec) for example in wanted):
            return []
        # The embedded provider has nothing but examples, and says so in the metadata.
        own = write_model(asked.sentence, asked.agent_type, asked.constraints, load_library())
        if all(own.meta(key) == spec.meta(key) for key in ("prompt", "assumptions")):
            return []
        words = (
            f"the document is a copy of the example {copied.name!r}, at most renamed; write a model"
            " of what the request describes"
        )
        return [finding("GMN907", words, got=copied.name)]

    def _evaluation(self, verdict: Validation) -> Evaluation[GMNSpec]:
        spec = verdict.spec if verdict.spec is None else self._naming_sources(verdict.spec)
        kind: AnswerKind = "unparsed" if spec is None else "parsed"
        text = write_text(spec) if spec is not None else ""
        return Evaluation(kind, spec, text, verdict.report, may_be_cut=not verdict.is_whole)

    def _naming_sources(self, spec: GMNSpec) -> GMNSpec:
        """The document with the addresses of its sources, and of no others, in the metadata."""
        if not self.sources:
            return spec
        own = [entry for entry in spec.metadata if not _SOURCE.fullmatch(entry.key)]
        listed = [
            Entry(key=f"source_{one.number}", value=f"{one.url} {one.retrieved_at}".strip())
            for one in self.sources
        ]
        return spec.model_copy(update={"metadata": (*own, *listed)})

    def name_keyed(self, evaluation: Evaluation[GMNSpec]) -> str:
        """The document keyed by names: array indices are where models go wrong.

        Addresses of sources are left out: what strangers wrote is not shown to a model.
        """
        if evaluation.value is None:
            return ""
        view = to_name_keyed_model(evaluation.value)
        shown = {k: v for k, v in view["metadata"].items() if not _SOURCE.fullmatch(k)}
        return json.dumps({**view, "metadata": shown}, ensure_ascii=False, indent=1)

    def apply_patch(self, evaluation: Evaluation[GMNSpec], patch: str) -> Evaluation[GMNSpec]:
        """Apply a patch to the name-keyed form, or take a whole document; evaluate the outcome."""
        if evaluation.value is None:
            return evaluation
        before = to_name_keyed_model(evaluation.value)
        return PatchEvaluator(
            evaluate=lambda text: self._beside(before, self.evaluate(text)),
            evaluate_view=lambda view: self._beside(before, self._of_view(view)),
            view_of=lambda one: to_name_keyed_model(one.value) if one.value is not None else None,
            sections=root_names(self.schema),
            dropped=lambda _, made: [d.got for d in made.report.repairs if _is_ignored(d)],
        )(evaluation, patch)

    def _of_view(self, view: object) -> Evaluation[GMNSpec]:
        return self._evaluation(self._validate(from_name_keyed_model(view), self._copied))

    def _beside(self, before: object, made: Evaluation[GMNSpec]) -> Evaluation[GMNSpec]:
        """What an answer made of the name-keyed form `before`, with its notes beside it.

        Notes (assumptions) are not a change of the document and stay out of it; whatever else is
        changed in the metadata is a warning.
        """
        if not self.keeps_metadata or made.value is None:
            return made
        tree = from_name_keyed_model(to_name_keyed_model(made.value))
        old, new = _metadata(from_name_keyed_model(before)), _metadata(tree)
        said = new.pop(_ASSUMPTIONS, "")
        if _ASSUMPTIONS in old:
            new[_ASSUMPTIONS] = old[_ASSUMPTIONS]
            said = "" if said == old[_ASSUMPTIONS] else said
        if said:
            tree["metadata"] = [{"key": key, "value": text} for key, text in new.items()]
            report = made.report
            made = replace(self.evaluate_source(tree), may_be_cut=made.may_be_cut)
            made = replace(made, report=replace(made.report, repairs=report.repairs))
            made = with_finding(made, Diagnostic(NOTES, Severity.INFO, said))
        for key in dict.fromkeys((*old, *new)):
            if old.get(key) != new.get(key):
                verb = "added" if key not in old else "changed" if key in new else "removed"
                words = f"the answer {verb} {key!r} in the metadata"
                made = with_finding(
                    made, Diagnostic("METADATA", Severity.WARNING, words, "/metadata")
                )
        return made

    def read_partial(self, text: str) -> PartialReading | None:
        """The closed nodes of block text, or the closed parts of JSON, that is still arriving.

        Errors in what is closed come along; the document as a whole is evaluated at its end.
        """
        body = unfence(text).body
        if body.startswith("{"):
            return read_beginning(body)
        closed = body[: _last_closed(body)]
        if closed not in self._beginning:  # most pieces of a text that arrives close nothing
            self._beginning.clear()
            self._beginning[closed] = _closed_nodes(closed)
        return self._beginning[closed]

    def explain(self, evaluation: Evaluation[GMNSpec]) -> str:
        """The findings as lines, errors first, with places as the name-keyed form has them."""
        if evaluation.value is None:
            return explained(evaluation.report)
        tree, view = evaluation.value.to_json(), to_name_keyed_model(evaluation.value)
        return explained(evaluation.report, lambda pointer: pointer_in(view, pointer, tree))


@functools.lru_cache(maxsize=64)
def _shown(text: str) -> GMNSpec | None:
    return validate(text, run_steps=0).spec


def _words(sentence: str) -> list[str]:
    return sentence.casefold().strip(" .").split()


def _cut_off(verdict: Validation) -> list[Diagnostic]:
    """The finding that an answer stops before its end, as far as the answer alone can show it."""
    if not verdict.missing:
        return []
    lacks = " and ".join(verdict.missing)
    words = (
        f"the document seems to be cut off before its end: it has no line 'end' and lacks {lacks}"
    )
    return [finding("GMN015", words, expected="end")]


def _is_ignored(repair: Diagnostic) -> bool:
    """Whether it is about a key that no document has, rather than one that was read as another."""
    return repair.code == "GMN007" and repair.message.endswith("ignored")


def _metadata(tree: Mapping[str, Any]) -> dict[str, Any]:
    entries = _entries(tree.get("metadata"))
    return {
        str(entry["key"]): entry["value"] for entry in entries if {"key", "value"} <= set(entry)
    }


def _last_closed(text: str) -> int:
    """The end of the last node whose brace is closed, 0 when none is."""
    depth = end = 0
    for brace in _BRACE.finditer(text):
        depth += 1 if brace[0] == "{" else -1
        end = end if depth else brace.end()
    return end


def _closed_nodes(text: str) -> PartialReading | None:
    """What block text says up to the end of a node; None when nothing can be read of it."""
    reading = read(text)
    if (tree := reading.tree) is None:
        return None
    paths = tuple(
        pointer_to(section, entry.get(key, ""))
        for section, key in _KEYS.items()
        for entry in _entries(tree.get(section))
    )
    errors = tuple(d for d in reading.findings if d.severity is Severity.ERROR)
    return PartialReading(tree, paths, errors)


def _entries(section: object) -> list[dict[str, Any]]:
    parts = section if isinstance(section, list) else []
    return [entry for entry in parts if isinstance(entry, dict)]


def to_name_keyed_model(spec: GMNSpec) -> dict[str, Any]:
    """A document in name-keyed form; defaults are left out, metadata are plain key and value."""
    tree: dict[str, Any] = {
        "gmn": spec.gmn,
        "name": spec.name,
        **spec.model_dump(mode="json", exclude_defaults=True),
    }
    tree["policy"] = spec.policy.model_dump(mode="json")
    tree["metadata"] = {entry.key: entry.value for entry in spec.metadata}
    return {**to_name_keyed(tree, _NAMED, _NAMED)}


def from_name_keyed_model(view: object) -> dict[str, Any]:
    """The tree behind a name-keyed form; an entry without its own name takes its key."""
    tree = from_name_keyed(view, _NAMED, _NAMED) if isinstance(view, dict) else {}
    if isinstance(metadata := tree.get("metadata"), dict):
        tree["metadata"] = [{"key": k, "value": v} for k, v in metadata.items()]
    return {**tree}
