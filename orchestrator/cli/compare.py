"""What `orchestrator simulate FILE --compare` prints."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.output import UsageError, table
from orchestrator.gmn.engine.contingent import TREE_NUMBERS
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.optimum.compare import compare, rounded
from orchestrator.types.errors import GMNError
from orchestrator.types.work import TooMuchWork, allowance

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.optimum.compare import Comparison, Mean


def compared_with(
    model: Compiled, world: Compiled | None, arguments: argparse.Namespace
) -> Comparison:
    """The agent beside what `--compare` names, in its own world or in `world`.

    Raises: UsageError: the model is too large for it, or it is too much work.
    """
    try:
        with allowance(HARD_LIMITS.work):
            return compare(
                model,
                arguments.compare,
                steps=arguments.steps,
                episodes=arguments.episodes,
                seed=arguments.seed,
                world=world,
            )
    except (GMNError, TooMuchWork) as error:
        raise UsageError(f"--compare: {error}") from None


def comparison_lines(found: Comparison, world: str) -> Iterator[str]:
    """A row for each agent, and the share that was reached, in the world of that name."""
    what = "utility in nats, discounted" if found.discount < 1 else "utility in nats"
    where = f" in the world {world}, which the optimal agent knows" if world else ""
    yield f"{what}, of an episode of {found.steps} step{'s' * (found.steps > 1)}{where}"
    sampled = [one for one in (found.agent, found.greedy) if one and not one.is_expected]
    if sampled:
        yield f"(±: the mean of {found.episodes} simulated episodes and its standard error)"
    rows = [("this one", str(found.agent)), *(("", words) for words in _ahead(found))]
    if found.information is not None:
        rows.append(("", f"{_signed(found.information)} of it by seeking information"))
    if found.greedy is not None:
        rows.append(("greedy", f"{found.greedy}"))
    if found.by_chance is not None:
        rows.append(("random", f"{rounded(found.by_chance):.4g} expected"))
    if (best := found.optimal) is not None:
        beliefs = f"{best.nodes} belief{'s' * (best.nodes != 1)}"
        words = f"{rounded(best.value):.4g} expected, exact over {beliefs}"
        if best.method == "point-based":
            words = (
                f"between {best.lower:.4g} and {best.upper:.4g} expected: the best policy found"
                f" with {beliefs} is a lower bound"
            )
        rows.append(("optimal", words))
    yield from table(("agent", "utility"), rows)
    if any(rounded(one.error, one.value) == 0 for one in sampled):
        alike = f"all {found.episodes} episodes gained the same: what is rarer than one in"
        yield f"{alike} {found.episodes} is not in this mean; raise --episodes"
    if found.optimal is not None:
        yield _share(found)


def _ahead(found: Comparison) -> Iterator[str]:
    """Which bound kept the agent from looking to the end of the episode."""
    if found.depth < found.horizon:
        yield (
            f"looks {found.depth} of the {found.horizon} steps of its horizon ahead: a plan may"
            f" take {TREE_NUMBERS:,} numbers"
        )
    elif found.horizon < found.steps:
        yield f"looks {found.horizon} of {found.steps} steps ahead, its horizon"


def _signed(mean: Mean) -> str:
    return (
        f"{rounded(mean.value):+.4g}"
        if mean.is_expected
        else f"{'' if mean.value < 0 else '+'}{mean}"
    )


def _share(found: Comparison) -> str:
    if found.share is None:
        return "no share: choosing at random is as good as the best"
    words = f"the agent goes {_percent(found.share)} of the way from random to optimal"
    if not found.agent.is_expected and not math.isnan(found.share_error):
        words += f" (± {found.share_error:.1%})"
    if found.ratio is not None:
        words += f" and has {_percent(found.ratio)} of the optimal utility"
    return words


def _percent(bounds: tuple[float, float]) -> str:
    least, most = (f"{bound:.1%}" for bound in bounds)
    return least if least == most else f"between {least} and {most}"


def comparison_json(found: Comparison) -> dict[str, object]:
    """Its numbers; null for what was not asked for or cannot be said."""
    value = {**asdict(found), "share": found.share, "share_error": found.share_error}
    value["ratio"] = found.ratio
    return {name: _without_nan(one) for name, one in value.items()}


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
