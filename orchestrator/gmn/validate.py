"""Validates a document: reads, types, checks, repairs, compiles and simulates it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jsonpatch

from orchestrator.gmn.checks import Subject, known_constraints, run_checks
from orchestrator.gmn.codes import REPAIR_GROUPS, finding
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.expectations import EPISODES, check_names, measure
from orchestrator.gmn.formats import SourceMap, coerce, read
from orchestrator.gmn.gradient import with_gradients
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.simulate import simulate
from orchestrator.types.diagnostics import Report
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.expectations import Expectation
    from orchestrator.types.diagnostics import Diagnostic, PatchOperation

#: Which repairs are applied: none, the safe ones, or also those that are only suggested.
RepairMode = Literal["none", "safe", "suggest"]

_MOST_ROUNDS = 4  # of one group: a rename can uncover one more, not many


@dataclass(frozen=True, slots=True)
class Validation:
    """The result of validating one document.

    Attributes:
        spec: the document after repair, None when it could not be typed.
        report: findings left, repairs made, and whether it runs and behaves.
        compiled: its arrays, None unless it is valid.
        spelling: the format it was read from.
    """

    spec: GMNSpec | None
    report: Report
    compiled: Compiled | None = None
    spelling: str = "text"


def validate(
    source: str | bytes | Mapping[str, object] | GMNSpec,
    *,
    limits: Limits = DEFAULT_LIMITS,
    repair: RepairMode = "safe",
    constraints: Mapping[str, int] | None = None,
    expectations: Sequence[Expectation] = (),
    episodes: int = EPISODES,
    run_steps: int = 3,
) -> Validation:
    """Validate a document; every text or bytes give a Validation, faulty ones with findings.

    `repair` says which repairs are applied before the verdict. `constraints` are extra bounds of
    the request: ``max_states`` and ``max_observations`` (joint values), ``max_actions`` (joint
    actions), ``max_factors``, ``max_horizon``, ``max_policies``. `expectations` are simulated over
    `episodes`; failures are findings (906). `run_steps` steps show that it runs; 0 skips that.

    Raises: ValueError: a constraint is unknown or not a whole number.
    """
    bounds = known_constraints(constraints or {})
    spec, found, repairs, places, spelling = _typed(source, limits)
    if spec is None:
        return Validation(None, Report(_placed(found, places), tuple(repairs)), None, spelling)
    subject = Subject(spec, limits, bounds)
    checked = run_checks(subject)
    if _fixable(checked, repair):
        subject, applied = _repaired(subject, repair)
        repairs += applied
        checked = run_checks(subject)
    report = Report(_placed([*found, *checked], places), _placed(repairs, places))
    if not report.is_valid:
        return Validation(subject.spec, report, None, spelling)
    valid = Validation(subject.spec, report, None, spelling)
    return _run(subject, valid, expectations, episodes=episodes, run_steps=run_steps)


def _typed(
    source: str | bytes | Mapping[str, object] | GMNSpec, limits: Limits
) -> tuple[GMNSpec | None, list[Diagnostic], list[Diagnostic], SourceMap, str]:
    if isinstance(source, GMNSpec):
        return source, [], [], SourceMap(), "spec"
    reading = read(source, limits=limits)
    found, repairs = [*reading.findings], [*reading.repairs]
    if reading.tree is None:
        return None, found, repairs, reading.places, reading.spelling
    conformed = coerce(reading.tree)
    found += conformed.findings
    repairs += conformed.repairs
    spec = conformed.spec
    if spec is not None and conformed.gradients:
        spec, problems = with_gradients(spec, conformed.gradients, limits)
        found += problems
    return spec, found, repairs, reading.places, reading.spelling


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
    touched: set[str] = set()
    used: list[Diagnostic] = []
    changes: list[PatchOperation] = []
    removals: list[PatchOperation] = []
    for diagnostic in fixable:
        operations = diagnostic.fix.patch if diagnostic.fix else ()
        paths = {str(operation["path"]) for operation in operations}
        if any(_overlap(path, other) for path in paths for other in touched):
            continue
        touched |= paths
        used.append(diagnostic)
        for operation in operations:
            (removals if operation["op"] == "remove" else changes).append(operation)
    if not used:
        return None, []
    removals.sort(key=lambda operation: _steps(str(operation["path"])), reverse=True)
    tree: Any = jsonpatch.JsonPatch([*changes, *removals]).apply(spec.to_json(), in_place=True)
    return GMNSpec.model_validate(tree), used


def _overlap(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


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
    spec, report = subject.spec, valid.report
    try:
        compiled = subject.compiled or compile_spec(spec)  # which says why there is none
    except GMNError as error:
        return _with(valid, [finding("GMN901", str(error))], runs=False)
    more: list[Diagnostic] = []
    if run_steps:
        run = simulate(compiled, steps=run_steps, seed=0)
        if run.surprised:
            words = (
                f"at {run.surprised} of {run_steps} steps nothing the agent held possible explained"
            )
            more.append(
                finding("GMN904", f"{words} what it observed: its beliefs had ruled it out")
            )
    valid = dataclasses.replace(valid, compiled=compiled)
    if not expectations:
        return _with(valid, more, runs=True if run_steps else None)
    unknown = [d for expectation in expectations for d in check_names(expectation, spec)]
    if unknown:
        return _with(valid, [*more, *unknown], runs=True, behaves=False)
    measured = measure(compiled, expectations, episodes=episodes)
    for one in measured:
        if not one.held:
            trace = "; ".join(one.trace)
            more.append(finding("GMN906", f"{one}. For example: {trace}", got=f"{one.rate:.0%}"))
    report = dataclasses.replace(report, behaviour=tuple(map(str, measured)))
    valid = dataclasses.replace(valid, report=report)
    return _with(valid, more, runs=True, behaves=all(one.held for one in measured))


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
