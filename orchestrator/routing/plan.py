"""The most that a request can take, said before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing.build import route_arguments, router_arguments
from orchestrator.routing.offline.completer import are_embedded
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.routing.prices import chain_of, most_usd
from orchestrator.routing.rate_limits import MOST_WAITS
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.models.groups import Deployments
    from orchestrator.types.requests import Request


FEWEST_QUESTIONS = 3
_MAX_FALLBACKS = 5  # LiteLLM's, if nothing else is stated; siblings of a group count as fallbacks


@dataclass(frozen=True, slots=True)
class Plan:
    """Upper bounds on one request.

    Attributes:
        max_calls: calls of the loop.
        max_wire_attempts: requests on the wire, retries and fallbacks included.
        max_seconds: the deadline of the whole request.
        max_cost_usd: None where a price is not known.
        lines: the same in words, with the layer that owns each retry.
    """

    max_calls: int
    max_wire_attempts: int
    max_seconds: float
    max_cost_usd: float | None
    lines: tuple[str, ...]


def plan(
    config: Config,
    deployments: Deployments,
    request: Request,
    routes: Sequence[str],
    *,
    samples: int = 1,
    questions: int = 0,
    is_staged: bool = False,
) -> Plan:
    """Bounds for `request` asked on `routes` (the first route, then the stronger one if any).

    The first of `samples` stands for the first call of the loop; the others come on top, and so do
    the `questions` of staged mode, unless the request begins with them (`is_staged`).
    """
    settings = config.orchestrator.generation
    arguments = router_arguments(config, deployments)
    asked = [_asked(config, arguments, deployments.routes.get(one, (one,))) for one in routes]
    groups = list(dict.fromkeys(group for _, chain in asked for group in chain))
    ready = [one for group in groups for one in deployments.of_group(group)]
    per_call = max(wire_attempts(*one) for one in asked)
    of_loop = settings.max_calls + samples - 1
    waits = 0 if are_embedded(ready) else waits_of(config, per_call, of_loop)
    per_call += waits
    calls = questions + (0 if is_staged else of_loop)
    attempts = calls * per_call
    sent = {"messages": [turn.as_dict() for turn in request.messages], **request.parameters}
    sent = {"max_tokens": settings.max_tokens, **sent}
    costs = [most_usd(deployments, [group], sent) for group in groups]
    known = [cost for cost in costs if cost is not None]
    total = calls * max(known) if known and len(known) == len(costs) else None
    budget = config.orchestrator.budgets.usd_per_request
    prompt = sum(estimated_tokens(turn.text) for turn in request.messages)
    lines = (
        f"route {' then '.join(routes)}: {', '.join(dict.fromkeys(one.model for one in ready))}",
        _loop_line(calls - questions, samples, questions),
        f"Router: at most {per_call} attempts for one call, over {len(groups)} model groups,"
        f" {waits} of them after a rate limit was waited for",
        f"together at most {attempts} requests on the wire, {settings.deadline_s:g} s",
        f"about {prompt} prompt tokens and at most {settings.max_tokens} answer tokens per call",
        "cost: " + ("a price is not known" if total is None else f"at most {total:.4f} USD"),
        "budget: " + ("none" if budget is None else f"{budget:.4f} USD per request"),
    )
    return Plan(calls, attempts, settings.deadline_s, total, lines)


def _loop_line(calls: int, samples: int, questions: int) -> str:
    parts = [f"at most {calls} calls"] if calls else []
    parts += [f"{samples} samples"] if samples > 1 and calls else []
    after = "where no whole document is valid, " if calls else ""
    parts += [f"{after}at most {questions} closed questions (staged mode)"] if questions else []
    return f"refinement loop: {', '.join(parts)}"


def _asked(
    config: Config, arguments: Mapping[str, Any], groups: Sequence[str]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What a call on a route of `groups` asks of the Router, and every group it may lead to."""
    made = {**arguments, **route_arguments(config, arguments, groups)}
    return made, chain_of(made, groups[0])


def wire_attempts_on(config: Config, arguments: Mapping[str, Any], groups: Sequence[str]) -> int:
    """Requests that one call on a route of `groups` can put on the wire."""
    return wire_attempts(*_asked(config, arguments, groups))


def wire_attempts(arguments: Mapping[str, Any], chain: Sequence[str]) -> int:
    """Requests that one call can put on the wire: every retry of every group of its chain."""
    tries = {group: _tries_of(arguments, group) for group in chain}
    if not arguments.get("enable_weighted_failover"):
        return sum(tries.values())
    most = len(chain) + int(arguments.get("max_fallbacks") or _MAX_FALLBACKS)
    deployments = [
        tries[entry["model_name"]]
        for entry in arguments["model_list"]
        if entry["model_name"] in tries
    ]
    return sum(sorted(deployments, reverse=True)[:most])


def _tries_of(arguments: Mapping[str, Any], group: str) -> int:
    """How often one deployment of a group, or with siblings any of them, is tried in a row."""
    entries = [one for one in arguments["model_list"] if one["model_name"] == group]
    policy = (arguments.get("model_group_retry_policy") or {}).get(group)
    policy = policy or arguments.get("retry_policy") or {}
    # DefaultRetries stands for every error that the policy does not name.
    stated = [] if "DefaultRetries" in policy else [arguments.get("num_retries") or 0]
    stated += [one["litellm_params"].get("num_retries") or 0 for one in entries]
    stated += [value or 0 for value in (policy if isinstance(policy, dict) else {}).values()]
    levels = len({one["litellm_params"].get("order") for one in entries}) or 1
    return levels * (1 + max((int(value) for value in stated), default=0))


def questions_of(config: Config, per_call: int, samples: int = 1) -> int:
    """The most calls of staged mode, as many as ``limits.wire_attempts`` leaves beside the loop's.

    Fewer than `FEWEST_QUESTIONS` are none: staged mode does not take place.
    """
    ours = config.orchestrator
    if ours.generation.mode not in ("auto", "staged"):
        return 0
    calls = ours.generation.max_calls + samples - 1
    each = per_call + waits_of(config, per_call, calls)
    taken = 0 if ours.generation.mode == "staged" else calls * each
    most = min(ours.generation.max_questions, (ours.limits.wire_attempts - taken) // each)
    return most if most >= FEWEST_QUESTIONS else 0


def waits_of(config: Config, per_call: int, calls: int = 0) -> int:
    """How many attempts of a call may follow a wait, beside the `per_call` that need none.

    `calls` are those of the operation, 0 for as many as the loop has.
    """
    ours = config.orchestrator
    calls = calls or ours.generation.max_calls
    return max(min(MOST_WAITS, ours.limits.wire_attempts // calls - per_call), 0)


def enforce_bound(config: Config, deployments: Deployments, arguments: Mapping[str, Any]) -> int:
    """Refuse a configuration whose retries multiply beyond its own limit; else give `waits_of` it.

    `arguments` are those of the Router.

    Raises: ConfigError: an operation could put more than ``limits.wire_attempts`` on the wire.
    """
    most = config.orchestrator.limits.wire_attempts
    per_call = 0
    asked = {**{group: (group,) for group in deployments.groups()}, **deployments.routes}
    for name, groups in asked.items():
        on_route, chain = _asked(config, arguments, groups)
        per_call = max(per_call, wire_attempts(on_route, chain))
        found = config.orchestrator.generation.max_calls * wire_attempts(on_route, chain)
        if found > most:
            raise ConfigError(
                "orchestrator.limits.wire_attempts",
                f"one request to {name} could put {found} requests on the wire"
                f" ({config.orchestrator.generation.max_calls} calls over {', '.join(chain)}), more"
                f" than {most}",
                fix="Lower num_retries or shorten the fallbacks, or raise the limit.",
            )
    return waits_of(config, per_call)
