"""Parses behavioural expectations and measures them in simulated episodes.

``cell=r4c4 within 12 in 80%`` means: in at least 80% of the episodes the observation (or hidden
state, or action) `cell` is `r4c4` at some step among the first 12; ``in at most 5%``: in no more of
them. ``never`` and ``always`` say it of every step, ``at 3`` of one step; several conditions on one
step are joined by ``and``, and ``a|b`` or a glob names several labels. ``hint=left before
reward=cheese within 9``: the first happens, the second neither earlier nor at the same step.
``on average at least 2`` bounds the mean over the episodes: of the number of steps at which it is
so, or, of the word ``utility``, of the sum of what the agent gains.
"""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from orchestrator.gmn.acting.many import simulate_many
from orchestrator.gmn.acting.walk import EPISODES
from orchestrator.gmn.acting.world import whole
from orchestrator.gmn.codes import finding
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import nfc
from orchestrator.parsing.spelling import nearest
from orchestrator.types.pattern import pattern
from orchestrator.types.work import doing, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.gmn.acting.episode import Run, Step
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic

Quantity = Literal["within", "at", "never", "always"]
Bound = Literal["least", "most"]

_FORM = (
    "[never|always] VAR=LABEL [and VAR=LABEL] within N [in [at most] P%], VAR=LABEL"
    " [and VAR=LABEL] at N [in [at most] P%], VAR=LABEL before VAR=LABEL within N [in [at most]"
    " P%], or VAR=LABEL (or the word utility) within N on average at least V (or at most V)"
)
_EXAMPLE = "cell=r4c4 within 12 in 80%"
_TIMES = pattern(
    r" (?P<span>within|at) (?P<steps>\d{1,15})(?: steps?)?"
    r"(?: in (?:at (?P<bound>least|most) )?(?P<share>\d{1,3}(?:\.\d{1,9})?) ?%"
    r"(?: of (?:runs|episodes))?)?\Z"
)
_AVERAGE = pattern(
    r" on average at (?P<bound>least|most) (?P<value>[+-]?\d{1,9}(?:\.\d{1,9})?)"
    r"(?: steps?| nats?)?(?= within |\Z)"
)
_NAME = pattern(r"[A-Za-z_]\w*")
_LABEL = pattern(r"[^\s=]*")
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
        wanted: what must be so at one step; empty where the utility of every step counts.
        steps: number of steps that count; for ``at``, the step itself, from 1.
        share: share of the episodes in which it must hold, in [0, 1].
        is_inferred: whether it was derived from the description.
        bound: whether `share`, or `average`, is the least or the most that is allowed.
        before: what must not have happened up to the step at which `wanted` first does.
        average: bounds the mean over the episodes, in steps or, of the utility, in nats; None
            where the share counts.
    """

    quantity: Quantity
    wanted: tuple[Wanted, ...]
    steps: int
    share: float = 1.0
    is_inferred: bool = False
    bound: Bound = "least"
    before: tuple[Wanted, ...] = ()
    average: float | None = None

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Read one expectation.

        Raises: ValueError: `text` is not one; the message shows the form and an example.
        """
        if len(text) > MOST_CHARACTERS:
            words = f"an expectation has {len(text):,} characters, more than {MOST_CHARACTERS:,}"
            raise ValueError(f"{words}: {text[:40]!r}…; write several, or a glob for many labels")
        said = " ".join(nfc(text).split())
        average = _AVERAGE.search(said)
        rest = said[: average.start()] + said[average.end() :] if average else said
        times = _TIMES.search(rest)
        what = rest[: times.start()] if times else ""
        quantity: Quantity = "at" if times and times["span"] == "at" else "within"
        for word in ("never", "always"):
            if what.startswith(f"{word} ") and quantity == "within":
                quantity, what = word, what.removeprefix(f"{word} ")
        first, *then = what.split(" before ", 1)
        wanted = () if average and what == "utility" else _wanted(first)
        before = _wanted(then[0]) if then else ()
        # A sequence and a mean need several steps, and a mean is neither an order nor a share.
        is_one = not (before or average) or quantity == "within"
        is_one = is_one and not (average and (before or (times and times["share"])))
        if times is None or wanted is None or before is None or not is_one:
            raise ValueError(
                f"{text!r} is not an expectation; write {_FORM}, for example {_EXAMPLE!r}"
            )
        bound: Bound = "most" if (average or times)["bound"] == "most" else "least"
        made = cls(
            quantity,
            wanted,
            int(times["steps"]),
            float(times["share"] or 100) / 100,
            bound=bound,
            before=before,
            average=float(average["value"]) if average else None,
        )
        if reason := made._pointless(is_share_said=bool(times["share"])):
            raise ValueError(f"{text!r} {reason}")
        return made

    def _pointless(self, *, is_share_said: bool) -> str:
        """Why no episodes can fail it, or none fulfil it; empty where they can."""
        if not 1 <= self.steps <= 10_000:
            return f"is about {self.steps:,} steps; write 1 to 10,000, for example {_EXAMPLE!r}"
        if self.average is not None:
            low, high = (0, self.steps) if self.wanted else (-math.inf, math.inf)
            is_open = low < self.average <= high
            if self.bound == "most":
                is_open = low <= self.average < high
            return "" if is_open else f"bounds a number of steps that lies between 0 and {high}"
        if self.share > 1:
            return "asks for more than 100% of the episodes"
        if is_share_said and self.share == (self.bound == "most"):
            return "holds for every model; write 'in at most 0%' for what must not happen"
        return ""

    def holds(self, run: Run) -> bool:
        """Whether one episode fulfils it; of an average, whether its own sum does."""
        steps = run.steps[: self.steps]
        if self.average is not None:
            return self.allows(self.amount(run))
        if self.before:
            both = next((s for s in steps if _at(self.wanted, s) or _at(self.before, s)), None)
            return both is not None and not _at(self.before, both)
        if self.quantity == "at":
            return len(steps) == self.steps and _at(self.wanted, steps[-1])
        if self.quantity == "within":
            return any(_at(self.wanted, step) for step in steps)
        if self.quantity == "never":
            return not any(_at(self.wanted, step) for step in steps)
        return all(_at(self.wanted, step) for step in steps if self._is_about(step))

    def _is_about(self, step: Step) -> bool:
        """At its end an episode has no action, so a claim about one says nothing of that step."""
        return all(one.is_about(step) for one in self.wanted)

    def amount(self, run: Run) -> float:
        """Number of steps at which it is so, or the sum of their utility in nats."""
        steps = run.steps[: self.steps]
        if not self.wanted:
            return sum(step.utility for step in steps)
        return float(sum(_at(self.wanted, step) for step in steps))

    def allows(self, measured: float) -> bool:
        """Whether a share, or of an average the mean, is on the right side of the bound."""
        most = self.share if self.average is None else self.average
        beyond = most - measured if self.bound == "least" else measured - most
        return beyond <= 1e-12 * max(1.0, abs(most))

    def decided(self, run: Run) -> tuple[Step, ...]:
        """The steps of an episode up to the one that decides whether it holds there."""
        steps = run.steps[: self.steps]
        if self.average is not None or self.quantity == "at":
            return steps
        for number, step in enumerate(steps, 1):
            is_so = _at(self.wanted, step) or (self.before and _at(self.before, step))
            is_wrong = not is_so and self._is_about(step)
            if is_wrong if self.quantity == "always" else is_so:
                return steps[:number]
        return steps

    def __str__(self) -> str:
        head = f"{self.quantity} " if self.quantity in ("never", "always") else ""
        span = "at" if self.quantity == "at" else "within"
        what = " and ".join(map(str, self.wanted)) or "utility"
        if self.before:
            what += f" before {' and '.join(map(str, self.before))}"
        most = "at most " if self.bound == "most" else ""
        tail = f"in {most}{_number(self.share * 100)}%"
        if self.average is not None:
            tail = f"on average at {self.bound} {_number(self.average)}"
        return f"{head}{what} {span} {self.steps} {tail}"


def _at(wanted: tuple[Wanted, ...], step: Step) -> bool:
    look(4)
    return all(one.holds(step) for one in wanted)


def _number(value: float) -> str:
    """All digits that `parse` accepts, so that it reads the same value."""
    return f"{round(value, 9) + 0.0:.9f}".rstrip("0").rstrip(".")


def _wanted(what: str) -> tuple[Wanted, ...] | None:
    """What ``name=label|label [and …]`` says; None where it is something else."""
    made = []
    for part in what.split(" and "):
        name, _, said = part.partition("=")
        labels = tuple(label.strip() for label in said.split("|"))
        if not (
            _NAME.fullmatch(name.strip()) and any(labels) and all(map(_LABEL.fullmatch, labels))
        ):
            return None
        made.append(Wanted(name.strip(), labels))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured result of one expectation.

    Attributes:
        rate: share of the episodes in which it held, in [0, 1].
        trace: for a failed one, a counterexample, in labels.
        mean: of an average, what was measured: steps or nats per episode.
    """

    expectation: Expectation
    held: bool
    rate: float
    episodes: int
    trace: tuple[str, ...] = ()
    mean: float | None = None

    @property
    def got(self) -> str:
        """The number that was measured, with its unit."""
        if self.mean is None:
            return f"{round(self.rate * 100, 1):g}%"
        return f"{self.mean:.4g} {'steps' if self.expectation.wanted else 'nats'}"

    def __str__(self) -> str:
        verdict = "holds" if self.held else "fails"
        mark = " (inferred)" if self.expectation.is_inferred else ""
        measured = f"measured {self.got} of"
        if self.mean is not None:
            measured = f"measured {self.got} on average over"
        elif self.expectation.bound == "most":
            measured = f"it was so in {self.got} of"
        runs = f"{self.episodes} episode{'s' * (self.episodes != 1)}"
        return f"{self.expectation}{mark}: {verdict}, {measured} {runs}"


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
    for wanted in (*expectation.wanted, *expectation.before):
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
    model: Compiled | Engine,
    expectations: Sequence[Expectation],
    *,
    episodes: int = EPISODES,
    seed: int = 0,
    world: Compiled | None = None,
) -> tuple[Measured, ...]:
    """Simulate the episodes once (seeds seed, seed+1, …); measure every expectation in them.

    They are in `world`, where one is given, else in the model's own.

    Raises: TooMuchWork: an allowance does not suffice for them.
    """
    if not expectations:
        return ()
    episodes, seed = whole("episodes", episodes, 1), whole("seed", seed, 0)
    steps = max(expectation.steps for expectation in expectations)
    doing(
        f"simulating {episodes} episodes of {steps} steps",
        "expect it within fewer steps, simulate fewer episodes, compare fewer policies or make the"
        " model smaller",
    )
    seeds = range(seed, seed + episodes)
    engine = model if isinstance(model, Engine) else Engine(model)
    runs = list(simulate_many(engine, steps=steps, seeds=seeds, world=world))
    return tuple(_measured(expectation, runs) for expectation in expectations)


def _measured(expectation: Expectation, runs: Sequence[Run]) -> Measured:
    kept = [run for run in runs if expectation.holds(run)]
    rate = len(kept) / len(runs)
    is_share, least = expectation.average is None, expectation.bound == "least"
    amounts = [] if is_share else [expectation.amount(run) for run in runs]
    mean = None if is_share else math.fsum(amounts) / len(runs)
    if expectation.allows(rate if mean is None else mean):
        return Measured(expectation, True, rate, len(runs), mean=mean)
    if is_share:  # too few episodes hold, so show one that does not, or the reverse
        shown = next(run for run in runs if expectation.holds(run) is not least)
    else:
        shown = runs[amounts.index((min if least else max)(amounts))]
    return Measured(expectation, False, rate, len(runs), _trace(expectation, shown), mean)


def _trace(expectation: Expectation, run: Run) -> tuple[str, ...]:
    """The episode up to the deciding step, in labels; long ones are cut in the middle."""
    steps = expectation.decided(run)
    lines = [f"seed {run.seed} step {i}: {_said(step)}" for i, step in enumerate(steps, 1)]
    if len(lines) > MOST_TRACE_STEPS:
        half = MOST_TRACE_STEPS // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} steps …", *lines[-half:]]
    if expectation.average is not None:
        what = "steps at which it is so" if expectation.wanted else "nats"
        lines.append(f"seed {run.seed} altogether: {expectation.amount(run):.4g} {what}")
    return tuple(lines)


def _said(step: Step) -> str:
    seen = ", ".join(f"{name}={label}" for name, label in step.observation.items())
    did = ", ".join(f"{name}={label}" for name, label in step.action.items())
    return f"observes {seen}; {f'does {did}' if did else 'the episode ends'}"
