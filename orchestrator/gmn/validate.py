"""Validates a document: reads, types, checks, repairs, compiles and simulates it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.gmn.acting.walk import EPISODES, doubts
from orchestrator.gmn.checks import Subject, is_too_large, known_constraints, run_checks
from orchestrator.gmn.codes import REPAIR_GROUPS, finding
from orchestrator.gmn.formats import Reading, SourceMap, coerce
from orchestrator.gmn.formats.candidates import (
    Span,
    documents_in,
    is_last_final,
    is_same_model,
)
from orchestrator.gmn.formats.decoding import why_binary, with_newlines
from orchestrator.gmn.imports import KINDS, is_whole, read
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import GMNSpec
from orchestrator.parsing.reasoning import without_reasoning
from orchestrator.types.diagnostics import Diagnostic, Report, Severity, listed
from orchestrator.types.errors import GMNError
from orchestrator.types.work import TooMuchWork, allowance, doing, look, repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.gmn.acting.expectations import Expectation
    from orchestrator.gmn.acting.walk import Counted
    from orchestrator.gmn.compile import Compiled
    from orchestrator.types.diagnostics import PatchOperation

#: A document in any form: text of any spelling, JSON data, or typed.
Source = str | bytes | Mapping[str, object] | GMNSpec
#: Which repairs are applied: none, the safe ones, or also those that are only suggested.
RepairMode = Literal["none", "safe", "suggest"]

_Typed = tuple[GMNSpec | None, list[Diagnostic], list[Diagnostic]]
_IN_A_TABLE = re.compile(
    r"/(?:likelihoods|transitions|priors)/\d+/(?:table/|learn|concentration)|/preferences/\d+/(?:values|goals|goal_gradient|rules)/"
    r"|/policy/|/habits/\d+/weights"
)
_MOST_ROUNDS = 4  # of one group: a rename can uncover one more, not many


@dataclass(frozen=True, slots=True)
class Validation:
    """The result of validating one document.

    Attributes:
        spec: the document after repair, None when it could not be typed.
        report: findings left, repairs made, and whether it runs and behaves.
        compiled: its arrays, None unless it is valid.
        spelling: the format it was read from.
        is_whole: whether the text shows its own end; what does not may have been cut off.
        missing: what a complete document has and one without its end lacks.
    """

    spec: GMNSpec | None
    report: Report
    compiled: Compiled | None = None
    spelling: str = "text"
    is_whole: bool = True
    missing: tuple[str, ...] = ()


#: Gives further findings on one document.
Also = Callable[[Validation], Sequence[Diagnostic]]


def validate(
    source: Source,
    *,
    limits: Limits = DEFAULT_LIMITS,
    repair: RepairMode = "safe",
    constraints: Mapping[str, int] | None = None,
    expectations: Sequence[Expectation] = (),
    episodes: int = EPISODES,
    run_steps: int = 3,
    also: Also | None = None,
    kind: str = "",
) -> Validation:
    """Validate a document; every text or bytes give a Validation, faulty ones with findings.

    `repair` says which repairs are applied before the verdict. `constraints` are extra bounds of
    the request: ``max_states`` and ``max_observations`` (joint values), ``max_actions`` (joint
    actions), ``max_factors``, ``max_horizon``, ``max_policies``. `expectations` are simulated over
    `episodes`; failures are findings (906). `run_steps` steps show that it runs; 0 skips that.
    `also` gives further findings on a document.

    A text may hold several documents: one that holds is taken, and of several that differ the last
    one, where the text says that it is final; else it is a finding (014).

    What the document is, is recognised; `kind` says it where several readings fit: one of
    ``imports.KINDS``.

    Raises: ValueError: a constraint is unknown or not a whole number, or the kind is unknown.
    """
    bounds = known_constraints(constraints or {})
    if kind and kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of document: {', '.join(KINDS)}")

    def one(document: Source) -> Validation:
        subject, verdict = _checked(document, limits, bounds, repair, kind)
        if subject is not None and verdict.report.is_valid:
            verdict = _run(subject, verdict, expectations, episodes=episodes, run_steps=run_steps)
        with allowance(None):
            return _with_findings(verdict, also(verdict)) if also else verdict

    try:
        with allowance(limits.work):
            return _read(source, one, limits, kind)
    except TooMuchWork as error:  # while reading: later ones are findings of what is read
        return Validation(None, Report((_too_much(error),)))


def _read(
    source: Source, one: Callable[[Source], Validation], limits: Limits, kind: str
) -> Validation:
    is_short = isinstance(source, bytes) and len(source) <= limits.document_bytes
    if isinstance(source, bytes) and is_short and not why_binary(source):
        with contextlib.suppress(UnicodeDecodeError):  # which reading it reports
            source = source.decode("utf-8-sig")
    if not isinstance(source, str) or len(source) > limits.document_bytes:
        return one(source)
    source = with_newlines(source)
    return one(source) if kind or is_whole(source) else _chosen(source, one)


def _chosen(text: str, one: Callable[[str], Validation]) -> Validation:
    """The verdict on the document in `text`; of several, on the one that holds, or is final."""
    answer = without_reasoning(text)
    places = SourceMap(text)
    words = "reasoning before the document removed"
    read_over = [finding("GMN012", words, place=places.at(0))] if answer != text else []
    documents = documents_in(answer)
    if len(documents) < 2:
        return _repairs_first(one(answer), read_over)
    spans = [document.span for document in documents]
    tried = [(span, one(alone)) for span, alone in documents]
    holding = [(span, verdict) for span, verdict in tried if verdict.report.is_accepted]
    (at, last) = holding[-1] if holding else min(reversed(tried), key=lambda t: _rank(t[1]))
    if at != spans[-1] and is_last_final(answer, spans):
        at, last = tried[-1]  # which does not hold, and no draft stands for it
    differ = [
        v for _, v in holding if v.spec and last.spec and not is_same_model(v.spec, last.spec)
    ]
    if differ and not (at == spans[-1] and is_last_final(answer, spans)):
        lines = ", ".join(str(_line(places, answer, span)) for span, _ in holding)
        words = (
            f"the text holds {len(holding)} documents that differ, at lines {lines}, and does not"
            " say which is the final one; keep one"
        )
        found = finding("GMN014", words, place=places.at(at.start), got=len(holding), expected=1)
        return Validation(None, Report((found,), tuple(read_over)), None, last.spelling)
    last = dataclasses.replace(last, is_whole=tried[-1][1].is_whole)
    line = _line(places, answer, at)
    words = f"of {len(spans)} documents in the text the one at line {line} is taken"
    return _repairs_first(last, [*read_over, finding("GMN014", words, place=places.at(at.start))])


def _with_findings(verdict: Validation, more: Sequence[Diagnostic]) -> Validation:
    found = (*verdict.report.diagnostics, *more)
    return dataclasses.replace(
        verdict, report=dataclasses.replace(verdict.report, diagnostics=found)
    )


def _line(places: SourceMap, text: str, span: Span) -> int:
    blank = len(text[span.start : span.end]) - len(text[span.start : span.end].lstrip())
    return places.at(span.start + blank).line


def _rank(verdict: Validation) -> tuple[bool, int]:
    return (verdict.spec is None, len(verdict.report.errors))


def _repairs_first(verdict: Validation, repairs: list[Diagnostic]) -> Validation:
    report = dataclasses.replace(verdict.report, repairs=(*repairs, *verdict.report.repairs))
    return dataclasses.replace(verdict, report=report) if repairs else verdict


def _checked(
    source: Source, limits: Limits, bounds: Mapping[str, int], repair: RepairMode, kind: str
) -> tuple[Subject | None, Validation]:
    """Read, type, check and repair one document."""
    if isinstance(source, GMNSpec):
        reading = Reading(None, spelling="spec")
        typed: _Typed = (source, [], [])
    else:
        with allowance(limits.work // 8):  # the longest text takes a fifth of that
            reading = read(source, limits=limits, kind=kind)
            typed = _typed(reading, limits)
    spec, found, repairs = typed
    places = reading.places
    verdict = Validation(None, Report(), None, reading.spelling, reading.is_whole, reading.missing)
    if spec is None:
        report = _report(found, repairs, places, limits)
        return None, dataclasses.replace(verdict, report=report)
    subject = Subject(spec, limits, bounds)
    try:
        checked = run_checks(subject)
        if _fixable(checked, repair) and not is_too_large(checked):
            subject, applied = _repaired(subject, repair)
            repairs += applied
            checked = run_checks(subject)
    except TooMuchWork as error:
        checked = [_too_much(error)]
    report = _report([*found, *checked], repairs, places, limits)
    return subject, dataclasses.replace(verdict, spec=subject.spec, report=report)


def _typed(reading: Reading, limits: Limits) -> _Typed:
    found, repairs = [*reading.findings], [*reading.repairs]
    if reading.tree is None:
        return None, found, repairs
    conformed = coerce(reading.tree, reading.names)
    found += conformed.findings
    repairs += conformed.repairs
    spec = conformed.spec
    if spec is None and conformed.partial is not None:
        found += _beside(conformed.partial, found, limits)
    return spec, found, repairs


def _beside(partial: GMNSpec, found: Sequence[Diagnostic], limits: Limits) -> Iterator[Diagnostic]:
    """Errors apart from values of a wrong type, so that they are not found a round later.

    Only where those values are numbers and words inside of tables, which nothing else rests on.
    """
    wrong = [d.pointer for d in found if d.severity is Severity.ERROR]
    if not all(_IN_A_TABLE.match(pointer) for pointer in wrong):
        return
    kinds = {pointer.removesuffix("/kind") for pointer in wrong}
    above = {part for pointer in kinds for part in _above(pointer)}
    for diagnostic in run_checks(Subject(partial, limits)):
        look()
        at = diagnostic.pointer
        is_apart = at not in above and kinds.isdisjoint((at, *_above(at)))
        if diagnostic.severity is Severity.ERROR and diagnostic.fix is None and is_apart:
            yield diagnostic


def _fixable(found: Sequence[Diagnostic], mode: RepairMode) -> list[Diagnostic]:
    """The findings whose fix the mode allows."""
    kinds = {"none": (), "safe": ("safe",), "suggest": ("safe", "suggest")}[mode]
    return [d for d in found if d.fix is not None and d.fix.kind in kinds]


def _repaired(subject: Subject, mode: RepairMode) -> tuple[Subject, list[Diagnostic]]:
    """Apply the allowed fixes, group by group; a round that improves nothing is not kept."""
    applied: list[Diagnostic] = []
    for codes in REPAIR_GROUPS:
        for _ in range(_MOST_ROUNDS):
            found = run_checks(subject, codes=codes)
            changed, used = _patched(subject.spec, _fixable(found, mode))
            if changed is None or changed == subject.spec:
                break
            after = Subject(changed, subject.limits, subject.constraints)
            left = run_checks(after, codes=codes)
            if len(left) >= len(found) and len(left) > 0:
                break
            subject, applied = after, [*applied, *used]
    return subject, applied


def _patched(
    spec: GMNSpec, fixable: Sequence[Diagnostic]
) -> tuple[GMNSpec | None, list[Diagnostic]]:
    """Operations of one round, each pointer once; removals last, from the end."""
    touched, above = set[str](), set[str]()
    used: list[Diagnostic] = []
    changes: list[PatchOperation] = []
    removals: list[PatchOperation] = []
    for diagnostic in fixable:
        operations = diagnostic.fix.patch if diagnostic.fix else ()
        paths = {str(operation["path"]) for operation in operations}
        parents = {above_it for path in paths for above_it in _above(path)}
        if not (paths | parents).isdisjoint(touched) or not paths.isdisjoint(above):
            continue
        look(20 * len(operations))
        touched |= paths
        above |= parents
        used.append(diagnostic)
        for operation in operations:
            (removals if operation["op"] == "remove" else changes).append(operation)
    if not used:
        return None, []
    removals.sort(key=lambda operation: _steps(str(operation["path"])), reverse=True)
    import jsonpatch  # noqa: PLC0415  a document that needs no repair does without

    tree: Any = jsonpatch.JsonPatch([*changes, *removals]).apply(spec.to_json(), in_place=True)
    return GMNSpec.model_validate(tree), used


def _above(pointer: str) -> list[str]:
    """The pointers to all that a part is in, the document first."""
    return [pointer[:at] for at, sign in enumerate(pointer) if sign == "/"]


def _steps(path: str) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, int(s)) if s.isdigit() else (1, s) for s in path.split("/"))


def _run(
    subject: Subject,
    valid: Validation,
    expectations: Sequence[Expectation],
    *,
    episodes: int,
    run_steps: int,
) -> Validation:
    """Compile, run a few steps, and measure the expectations in simulated episodes."""
    try:
        engine = subject.engine
    except GMNError as error:
        return _with(valid, [finding("GMN901", str(error))], runs=False)
    more: list[Diagnostic] = []
    try:
        if run_steps:
            more += _doubts(subject, run_steps)
        valid = dataclasses.replace(valid, compiled=engine.model)
        if not expectations:
            return _with(valid, more, runs=True if run_steps else None)
        # Where nothing is expected, nobody pays for what simulates episodes and names them.
        from orchestrator.gmn.acting.expectations import check_names, measure  # noqa: PLC0415

        unknown = [d for one in expectations for d in check_names(one, subject.spec)]
        if unknown:
            return _with(valid, [*more, *unknown], runs=True, behaves=False)
        measured = measure(engine, expectations, episodes=episodes)
    except TooMuchWork as error:
        return _with(valid, [*more, _too_much(error)], runs=None)
    for one in measured:
        if not one.held:
            trace = "; ".join(one.trace)
            more.append(finding("GMN906", f"{one}. For example: {trace}", got=one.got))
    report = dataclasses.replace(valid.report, behaviour=tuple(map(str, measured)))
    valid = dataclasses.replace(valid, report=report)
    return _with(valid, more, runs=True, behaves=all(one.held for one in measured))


def _doubts(subject: Subject, steps: int) -> Iterator[Diagnostic]:
    doing(f"simulating {steps} steps", "plan fewer steps, or make the model smaller")
    engine = subject.engine
    run: Counted
    if engine.model.learned:  # a walk learns nothing
        from orchestrator.gmn.acting.simulate import simulate  # noqa: PLC0415  as in `_run`

        run = simulate(engine, steps=steps, seed=0, keep_choices=False)
    else:
        with repeated(steps - 1):
            subject.walk(0).goes_on(1)
        run = subject.walk(0).first(steps)
    yield from (finding("GMN904", words) for words in doubts(run))


def _too_much(error: TooMuchWork) -> Diagnostic:
    with allowance(None):
        return finding("GMN712", str(error))


def _with(
    valid: Validation, more: Sequence[Diagnostic], *, runs: bool | None, behaves: bool | None = None
) -> Validation:
    report = dataclasses.replace(
        valid.report,
        diagnostics=(*valid.report.diagnostics, *more),
        runs=runs,
        behaves=behaves,
    )
    return dataclasses.replace(valid, report=report)


def _report(
    found: Sequence[Diagnostic], repairs: Sequence[Diagnostic], places: SourceMap, limits: Limits
) -> Report:
    most = limits.findings
    return Report(
        _placed(listed(found, most, "GMN713"), places),
        _placed(listed(repairs, most, "GMN713"), places),
    )


def _placed(found: Iterable[Diagnostic], places: SourceMap) -> tuple[Diagnostic, ...]:
    """The findings with line and column, if the document is text."""
    if not places.text:
        return tuple(found)
    return tuple(
        d
        if d.place is not None or not d.pointer
        else dataclasses.replace(d, place=places.of(d.pointer))
        for d in found
    )
