"""Parses behavioural expectations and measures them in simulated episodes.

``cell=r4c4 within 12 in 80%`` means: in at least 80% of the episodes the observation (or hidden
state, or action) `cell` is `r4c4` at some step among the first 12. ``never`` and ``always`` say it
of every step, ``at 3`` of one step; several conditions on one step are joined by ``and``, and
``a|b`` or a glob names several labels.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from orchestrator.gmn.codes import finding
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import nfc
from orchestrator.gmn.simulate import Run, Step, simulate
from orchestrator.parsing.spelling import nearest
from orchestrator.types.work import doing, look, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic

Quantity = Literal["within", "at", "never", "always"]

_FORM = "[never|always] VAR=LABEL [and VAR=LABEL] within N [in P%]"
_EXAMPLE = "cell=r4c4 within 12 in 80%"
_TIMES = re.compile(
    r" (?P<span>within|at) (?P<steps>\d{1,6})(?: steps?)?"
    r"(?: in (?P<share>\d{1,3}(?:\.\d{1,9})?) ?%(?: of (?:runs|episodes))?)?\Z"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_LABEL = re.compile(r"[^\s=]*")
EPISODES = 40
MOST_CHARACTERS = 2_000  # of one expectation
MOST_TRACE_STEPS = 12


@lru_cache(maxsize=32)
def _globs(labels: tuple[str, ...]) -> list[Callable[[str], object]]:
    """What matches each glob; `fnmatch` forgets them, where they are many."""
    return [re.compile(fnmatch.translate(label)).match for label in dict.fromkeys(labels)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`variable` has one of `labels`, which may be globs."""

    variable: str
    labels: tuple[str, ...]
    _known: dict[str, bool] = field(default_factory=dict, init=False, compare=False, repr=False)

    def holds(self, step: Step) -> bool:
        """Whether it holds at this step; a name is an observation, else a state, else an action."""
        for said in (step.observation, step.state, step.action):
            if self.variable in said:
                label = said[self.variable]
                if label not in self._known:
                    look(len(self.labels))
                    self._known[label] = any(fits(label) for fits in _globs(self.labels))
                return self._known[label]
        return False

    def is_about(self, step: Step) -> bool:
        """Whether the step has such a variable: at its end an episode has no action."""
        return any(self.variable in said for said in (step.observation, step.state, step.action))

    def __str__(self) -> str:
        return f"{self.variable}={'|'.join(self.labels)}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One behavioural claim; `str()` gives the text that parses back to it.

    Attributes:
        quantity: at some step (``within``), at that step, at none, or at every step.
        steps: number of steps that count; for ``at``, the step itself, from 1.
        share: least share of the episodes in which it must hold, in [0, 1].
        is_inferred: whether it was derived from the description.
    """

    quantity: Quantity
    wanted: tuple[Wanted, ...]
    steps: int
    share: float = 1.0
    is_inferred: bool = False

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Read one expectation.

        Raises: ValueError: `text` is not one; the message shows the form and an example.
        """
        if len(text) > MOST_CHARACTERS:
            words = f"an expectation has {len(text):,} characters, more than {MOST_CHARACTERS:,}"
            raise ValueError(f"{words}: {text[:40]!r}…; write several, or a glob for many labels")
        said = " ".join(nfc(text).split())
        times = _TIMES.search(said)
        what = said[: times.start()] if times else ""
        quantity: Quantity = "at" if times and times["span"] == "at" else "within"
        if what.startswith(("never ", "always ")):
            quantity = "never" if what.startswith("never ") else "always"
            what = what.removeprefix(quantity)
        wanted = [_wanted(part) for part in what.split(" and ")]
        found = tuple(one for one in wanted if one is not None)
        if times is None or len(found) < len(wanted) or not 1 <= int(times["steps"]) <= 10_000:
            raise ValueError(
                f"{text!r} is not an expectation; write {_FORM}, for example {_EXAMPLE!r}"
            )
        share = float(times["share"] or 100) / 100
        if share > 1:
            raise ValueError(f"{text!r} asks for more than 100% of the episodes")
        return cls(quantity, found, int(times["steps"]), share)

    def holds(self, run: Run) -> bool:
        """Whether one episode fulfils it."""
        steps = run.steps[: self.steps]
        if self.quantity == "at":
            return len(steps) == self.steps and self._at(steps[-1])
        if self.quantity == "within":
            return any(map(self._at, steps))
        if self.quantity == "never":
            return not any(map(self._at, steps))
        # At its end an episode has no action, so a claim about one says nothing of that step.
        return all(self._at(s) for s in steps if all(one.is_about(s) for one in self.wanted))

    def _at(self, step: Step) -> bool:
        look(4)
        return all(wanted.holds(step) for wanted in self.wanted)

    def __str__(self) -> str:
        head = f"{self.quantity} " if self.quantity in ("never", "always") else ""
        span = "at" if self.quantity == "at" else "within"
        what = " and ".join(map(str, self.wanted))
        return f"{head}{what} {span} {self.steps} in {round(self.share * 100, 6):g}%"


def _wanted(part: str) -> Wanted | None:
    """What ``name=label|label`` says; None where it is something else."""
    name, _, said = part.partition("=")
    labels = tuple(label.strip() for label in said.split("|"))
    is_one = _NAME.fullmatch(name.strip()) and any(labels) and all(map(_LABEL.fullmatch, labels))
    return Wanted(name.strip(), labels) if is_one else None


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured result of one expectation.

    Attributes:
        rate: share of the episodes in which it held, in [0, 1].
        trace: for a failed one, the shortest counterexample, in labels.
    """

    expectation: Expectation
    held: bool
    rate: float
    episodes: int
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "holds" if self.held else "fails"
        mark = " (inferred)" if self.expectation.is_inferred else ""
        measured = f"measured {self.rate:.0%} of {self.episodes} episodes"
        return f"{self.expectation}{mark}: {verdict}, {measured}"


def expectations_of(spec: GMNSpec) -> tuple[Expectation, ...]:
    """The expectations a document carries in its metadata under ``expect``, split at ``;``.

    Raises: ValueError: one of them cannot be read.
    """
    parts = (part.strip() for part in spec.meta("expect").split(";"))
    return tuple(Expectation.parse(part) for part in parts if part)


def check_names(expectation: Expectation, spec: GMNSpec) -> list[Diagnostic]:
    """Findings (105, 106) for names and labels that the model does not have."""
    return list(_unknown(expectation, spec))


def _unknown(expectation: Expectation, spec: GMNSpec) -> Iterator[Diagnostic]:
    names = [variable.name for _, variable in spec.variables()]
    for wanted in expectation.wanted:
        variable = spec.variable(wanted.variable)
        if variable is None:
            near = nearest(wanted.variable, names)
            hint = f"; did you mean {near!r}?" if near else f"; the model has {', '.join(names)}"
            yield finding(
                "GMN105",
                f"expectation {str(expectation)!r}: {wanted.variable!r} is not defined{hint}",
                variable=wanted.variable,
            )
            continue
        for label in wanted.labels:
            look(variable.n)
            if not any(fnmatch.fnmatchcase(name, label) for name in variable.names):
                shown = ", ".join(variable.names[:12]) + (", …" if variable.n > 12 else "")
                yield finding(
                    "GMN106",
                    f"expectation {str(expectation)!r}: no {label!r} in {variable.name}: {shown}",
                    variable=variable.name,
                    got=label,
                )


def measure(
    model: Compiled,
    expectations: Sequence[Expectation],
    *,
    episodes: int = EPISODES,
    seed: int = 0,
) -> tuple[Measured, ...]:
    """Simulate the episodes once (seeds seed, seed+1, …); measure every expectation in them.

    Raises: TooMuchWork: an allowance does not suffice for them.
    """
    if not expectations:
        return ()
    steps = max(expectation.steps for expectation in expectations)
    doing(
        f"simulating {episodes} episodes of {steps} steps",
        "expect it within fewer steps, simulate fewer episodes, compare fewer policies or make the"
        " model smaller",
    )
    engine = Engine(model)
    runs: list[Run] = []
    for number in range(episodes):
        with repeated(0 if runs else episodes - 1):
            runs.append(simulate(engine, steps=steps, seed=seed + number, keep_choices=False))
    return tuple(_measured(expectation, runs) for expectation in expectations)


def _measured(expectation: Expectation, runs: Sequence[Run]) -> Measured:
    failed = [run for run in runs if not expectation.holds(run)]
    rate = 1.0 - len(failed) / len(runs)
    held = rate >= expectation.share - 1e-12
    trace = () if held else _trace(expectation, failed[0])
    return Measured(expectation, held, rate, len(runs), trace)


def _trace(expectation: Expectation, run: Run) -> tuple[str, ...]:
    """The episode up to the deciding step, in labels; long ones are cut in the middle."""
    steps = run.steps[: expectation.steps]
    if expectation.quantity in ("never", "always"):
        bad = [expectation._at(s) == (expectation.quantity == "never") for s in steps]
        steps = steps[: bad.index(True) + 1] if True in bad else steps
    lines = [f"seed {run.seed} step {i}: {_said(step)}" for i, step in enumerate(steps, 1)]
    if len(lines) > MOST_TRACE_STEPS:
        half = MOST_TRACE_STEPS // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} steps …", *lines[-half:]]
    return tuple(lines)


def _said(step: Step) -> str:
    seen = ", ".join(f"{name}={label}" for name, label in step.observation.items())
    did = ", ".join(f"{name}={label}" for name, label in step.action.items())
    return f"observes {seen}; {f'does {did}' if did else 'the episode ends'}"
