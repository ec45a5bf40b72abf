"""The most that a request can take, said before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.build import router_arguments
from orchestrator.routing.offline import PROVIDER as OFFLINE
from orchestrator.routing.offline import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.config import Config
    from orchestrator.result import Request
    from orchestrator.routing.build import Deployments, Ready


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


def plan(config: Config, deployments: Deployments, request: Request, routes: Sequence[str]) -> Plan:
    """Bounds for `request` asked on `routes` (the first route, then the stronger one if any)."""
    settings = config.orchestrator.generation
    arguments = router_arguments(config, deployments)
    retries = int(arguments.get("num_retries") or 0)
    groups = [g for route in routes for g in deployments.routes.get(route, (route,))]
    ready = [one for group in dict.fromkeys(groups) for one in deployments.of_group(group)]
    widest = max(len(deployments.routes.get(route, (route,))) for route in routes)
    per_call = (1 + retries) * widest
    attempts = settings.max_calls * per_call
    prompt = sum(estimated_tokens(turn.content) for turn in request.messages)
    cost = _most_cost(ready, prompt, settings.max_tokens)
    total = None if cost is None else cost * attempts
    budget = config.orchestrator.budget.usd_per_request
    lines = (
        f"route {' then '.join(routes)}: {', '.join(dict.fromkeys(one.model for one in ready))}",
        f"refinement loop: at most {settings.max_calls} calls",
        f"Router: at most {1 + retries} attempts on each of {widest} model groups per call",
        f"together at most {attempts} requests on the wire, {settings.deadline_s:g} s",
        f"about {prompt} prompt tokens and at most {settings.max_tokens} answer tokens per call",
        "cost: " + ("a price is not known" if total is None else f"at most {total:.4f} USD"),
        "budget: " + ("none" if budget is None else f"{budget:.4f} USD per request"),
    )
    return Plan(settings.max_calls, attempts, settings.deadline_s, total, lines)


def _most_cost(ready: Sequence[Ready], prompt: int, answer: int) -> float | None:
    """The dearest single call, from LiteLLM's price map."""
    worst = 0.0
    for one in ready:
        if one.provider == OFFLINE:
            continue
        price = _price(one)
        if price is None:
            return None
        worst = max(worst, prompt * price[0] + answer * price[1])
    return worst


def _price(one: Ready) -> tuple[float, float] | None:
    stated: dict[str, Any] = {**one.model_info, **one.params.value}
    table = _litellm.load().model_cost
    known = table.get(one.model) or table.get(one.model.partition("/")[2]) or {}
    prices = [
        stated.get(key, known.get(key)) for key in ("input_cost_per_token", "output_cost_per_token")
    ]
    if any(not isinstance(price, int | float) for price in prices):
        return None
    return float(prices[0]), float(prices[1])  # type: ignore[arg-type]  # numbers, as just checked
