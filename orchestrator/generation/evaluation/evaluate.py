"""Evaluates prompts, models and the loop: shares of valid models, calls, tokens and dollars."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, TypeAdapter

from orchestrator.config.files import yaml_value
from orchestrator.generation.evaluation.round_trip import acts_alike
from orchestrator.generation.request_building import check_description, parsed
from orchestrator.gmn.checks import known_constraints
from orchestrator.gmn.words.explain import explain
from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.usage import stamp
from orchestrator.types.errors import ConfigError, LLMError
from orchestrator.types.requests import AgentType, Attempt, Generation, Usage
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from pathlib import Path

#: Numbers of calls after which the share of valid models is measured.
CALLS = (1, 2, 3, 4)


class Case(BaseModel):
    """One prompt of an evaluation file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    agent_type: AgentType = "general"
    constraints: dict[str, int] = {}
    expectations: list[str] = []


def load_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a YAML file: a list of prompts, or of ``{prompt, agent_type, …}``.

    Raises: ConfigError: the file cannot be read, or an entry is wrong: none is asked then.
    """
    try:
        tree = yaml_value(path)
        if not isinstance(tree, list | None):
            raise TypeError(f"it holds a {type(tree).__name__}")  # noqa: TRY301  reported below
        entries = [{"prompt": e} if isinstance(e, str) else e for e in tree or ()]
        cases = tuple(TypeAdapter(list[Case]).validate_python(entries))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        words = str(error).splitlines()[0]
        raise ConfigError(str(path), f"not a list of cases: {words}") from error
    for number, case in enumerate(cases, 1):
        try:
            check_description(case.prompt, case.agent_type)
            known_constraints(case.constraints)
            parsed(case.expectations)
        except ValueError as error:
            raise ConfigError(str(path), f"case {number}: {error}") from error
    return cases


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case.

    Attributes:
        valid_after: calls until the model was valid; None when it never was.
        error: class name of the error raised; empty for none.
        fits: share of the prompt's commitments that are in the model; None where there are none.
        round_trip: whether the model that its own explanation leads to acts as it does; None where
            that was not asked.
    """

    case: Case
    calls: int
    valid_after: int | None
    runs: bool
    behaves: bool
    usage: Usage
    usd: float | None
    error: str = ""
    fits: float | None = None
    round_trip: bool | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Shares and averages over several cases.

    Attributes:
        valid_at: share of models valid after 1, 2, 3 and 4 calls.
        runs, behaves: share of models that run, and that meet their expectations.
        calls, tokens, usd: total over all cases divided by the number of valid models; None when
            there are none, and for dollars also when a price is not known.
        errors: number of cases by class name of the error.
        fits: mean share of a prompt's commitments that are in its model, 0 where there is no model;
            None where no prompt commits to anything.
        round_trip: share of the models that act the same when they are generated from what
            `explain` says of them; None where that was not asked.
    """

    cases: int
    valid_at: tuple[float, ...]
    runs: float
    behaves: float
    calls: float | None
    tokens: float | None
    usd: float | None
    errors: Mapping[str, int] = field(default_factory=dict)
    fits: float | None = None
    round_trip: float | None = None


class Generate(Protocol):
    """The part of `Orchestrator.generate_gmn` that an evaluation calls."""

    async def __call__(
        self,
        prompt: str,
        agent_type: AgentType,
        constraints: Mapping[str, int],
        *,
        expectations: Sequence[str],
    ) -> Generation[Any]: ...


async def evaluate(
    generate: Generate, cases: Sequence[Case], *, parallel: int = 4, is_round_trip: bool = False
) -> tuple[CaseResult, ...]:
    """Generate every case, `parallel` at a time; an LLMError becomes the result of its case.

    With `is_round_trip` every model is explained and generated again from that, at its own cost.
    """
    limit = asyncio.Semaphore(parallel)

    async def one(case: Case) -> CaseResult:
        async with limit:
            try:
                made = await generate(
                    case.prompt, case.agent_type, case.constraints, expectations=case.expectations
                )
            except LLMError as error:
                return _outcome(case, error.attempts, None, type(error).__name__)
            found = _outcome(case, made.attempts, made)
            if not is_round_trip:
                return found
            return dataclasses.replace(found, round_trip=await _comes_back(generate, case, made))

    return tuple(await asyncio.gather(*(one(case) for case in cases)))


async def _comes_back(generate: Generate, case: Case, made: Generation[Any]) -> bool:
    try:
        again = await generate(explain(made.spec), case.agent_type, {}, expectations=())
    except (LLMError, ValueError):
        return False
    return await judge(acts_alike, made.spec, again.spec)


def _outcome(
    case: Case, attempts: Sequence[Attempt[Any]], made: Generation[Any] | None, error: str = ""
) -> CaseResult:
    costs = [attempt.answer.cost_usd for attempt in attempts]
    known = [cost for cost in costs if cost is not None]
    return CaseResult(
        case,
        len(attempts),
        len(attempts) if made is not None else None,
        made is not None and bool(made.report.runs),
        made is not None and made.report.behaves is not False,
        sum((attempt.answer.usage for attempt in attempts), Usage()),
        sum(known) if len(known) == len(costs) else None,
        error,
        _fits(attempts, made),
    )


def _fits(attempts: Sequence[Attempt[Any]], made: Generation[Any] | None) -> float | None:
    """The share that fits; 0 where a prompt commits to something and gave no model."""
    reports = [made.report] if made is not None else [a.evaluation.report for a in attempts]
    known = [one.fits for one in reports if one.fits is not None and one.fits.of]
    if not known:
        return None
    return known[-1].share if made is not None else 0.0


def score(outcomes: Sequence[CaseResult]) -> Score:
    """Shares and averages of `outcomes`."""
    count = max(len(outcomes), 1)
    valid = [outcome.valid_after for outcome in outcomes if outcome.valid_after is not None]
    costs = [outcome.usd for outcome in outcomes if outcome.usd is not None]
    errors: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.error:
            errors[outcome.error] = errors.get(outcome.error, 0) + 1
    tokens = sum(outcome.usage.total_tokens for outcome in outcomes)
    return Score(
        len(outcomes),
        tuple(sum(calls <= most for calls in valid) / count for most in CALLS),
        sum(outcome.runs for outcome in outcomes) / count,
        sum(outcome.behaves for outcome in outcomes) / count,
        sum(outcome.calls for outcome in outcomes) / len(valid) if valid else None,
        tokens / len(valid) if valid else None,
        sum(costs) / len(valid) if valid and len(costs) == len(outcomes) else None,
        errors,
        _mean([outcome.fits for outcome in outcomes]),
        _mean([outcome.round_trip for outcome in outcomes]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One run over all cases.

    Attributes:
        at: when it ended, ISO 8601.
        route: the route or provider called.
        templates: digest of the prompt templates.
        cases: digest of the cases; runs are comparable when it is equal.
        scores: by agent type, and ``all``.
    """

    at: str
    route: str
    templates: str
    cases: str
    scores: Mapping[str, Score]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> EvaluationRun:
        """The run that `as_dict` turned into `tree`."""
        scores = {
            name: Score(**{**about, "valid_at": tuple(about["valid_at"])})
            for name, about in tree["scores"].items()
        }
        return cls(tree["at"], tree["route"], tree["templates"], tree["cases"], scores)


def summed(
    outcomes: Sequence[CaseResult], *, route: str, templates: Mapping[str, str]
) -> EvaluationRun:
    """The scores of `outcomes`, by agent type and over all."""
    kinds: dict[str, None] = dict.fromkeys(outcome.case.agent_type for outcome in outcomes)
    scores = {kind: score([o for o in outcomes if o.case.agent_type == kind]) for kind in kinds}
    return EvaluationRun(
        stamp(), route, _digest(dict(templates)),
        _digest([outcome.case.model_dump() for outcome in outcomes]),
        {**scores, "all": score(outcomes)},
    )  # fmt: skip


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def previous(path: Path, now: EvaluationRun) -> EvaluationRun | None:
    """The last run with the same cases and route in a JSON-lines file; None without one."""
    if not path.is_file():
        return None
    runs = [EvaluationRun.from_dict(line) for line in jsonlines.read([path])]
    same = [run for run in runs if (run.cases, run.route) == (now.cases, now.route)]
    return same[-1] if same else None


def remember(path: Path, now: EvaluationRun) -> None:
    """Append a run to a JSON-lines file."""
    jsonlines.append(path, json.dumps(now.as_dict()))


def worse(now: Score, before: Score, *, slack: float = 0.0) -> list[str]:
    """One line per figure that is worse than before by more than `slack`, a share of it."""
    found = []
    shares = [("valid after 4 calls", now.valid_at[-1], before.valid_at[-1])]
    shares += [("runs", now.runs, before.runs), ("behaves", now.behaves, before.behaves)]
    if now.fits is not None and before.fits is not None:
        shares.append(("fits", now.fits, before.fits))
    for name, new, old in shares:
        if new < old * (1 - slack):
            found.append(f"{name}: {new:.0%}, before {old:.0%}")
    prices = (("calls", now.calls, before.calls), ("tokens", now.tokens, before.tokens))
    for name, per, was in prices:
        if was is not None and (per is None or per > was * (1 + slack)):
            shown = "none" if per is None else f"{per:.2f}"
            found.append(f"{name} per valid model: {shown}, before {was:.2f}")
    return found
