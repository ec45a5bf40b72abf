"""What is wanted of a model, and which models are known to fulfil it."""

from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import prefix_of
from orchestrator.models.facts import ABILITIES
from orchestrator.models.profiles import ModelFamily
from orchestrator.models.retirement import today_utc
from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.models.profiles import LLMProfile


@dataclass(frozen=True, slots=True)
class Wish:
    """What `LLMRegistry.find` takes. Nothing unknown counts as fulfilled.

    Attributes:
        abilities: fields of `LLMCapabilities`, each true or false.
        min_context: least tokens that it reads.
        max_cost: most dollars for a million tokens read and a million written.
        family, provider: a `ModelFamily`; a name of the table of providers, or LiteLLM's.
        local: whether calls stay on this machine.
        deprecated: False leaves out retired models, True takes only those, None takes all.
        kind: LiteLLM's mode.
        order_by: ``cost`` (unknown prices last), ``context`` (largest first) or ``name``; empty
            keeps the order of the configuration.
    """

    abilities: Mapping[str, bool] = field(default_factory=dict)
    min_context: int = 0
    max_cost: float | None = None
    family: str = ""
    provider: str = ""
    local: bool | None = None
    deprecated: bool | None = False
    kind: str = "chat"
    order_by: str = ""

    def values(self) -> dict[str, object]:
        """The values that fields of a profile must have."""
        values: dict[str, object] = {f"capabilities.{n}": v for n, v in self.abilities.items()}
        values["kind"] = self.kind
        if self.provider:
            values["provider"] = prefix_of(self.provider)
        if self.family:
            values["family"] = self.family
        if self.local is not None:
            values["is_local"] = self.local
        return values


class Shelf:
    """Models in columns, each made when it is first asked for: a wish is answered by sets."""

    def __init__(self, models: Iterable[LLMProfile]) -> None:
        """`models` are in the order in which they are found."""
        self.models = list(models)
        self._columns: dict[str, dict[object, set[int]]] = {}
        self._orders: dict[str, tuple[list[int], list[Any]]] = {}

    def among(self, wish: Wish) -> list[LLMProfile]:
        """The models that fulfil a wish."""
        found = [self._column(name).get(v, set()) for name, v in wish.values().items()]
        if wish.min_context > 0:
            found.append(self._until("context", -wish.min_context))
        if wish.max_cost is not None:
            found.append(self._until("cost", min(wish.max_cost, sys.float_info.max)))
        every = set.intersection(*sorted(found, key=len))
        if wish.deprecated is not None:
            today, days = today_utc(), self._column("retires_on")
            gone = set().union(*(days[day] for day in days if day is not None and day <= today))  # type: ignore[operator]  # a date
            every = every & gone if wish.deprecated else every - gone
        if not wish.order_by:
            return [self.models[i] for i in sorted(every)]
        return [self.models[i] for i in self._order(wish.order_by)[0] if i in every]

    def _column(self, name: str) -> dict[object, set[int]]:
        if name not in self._columns:
            read, made = attrgetter(name), self._columns.setdefault(name, {})
            for i, one in enumerate(self.models):
                made.setdefault(read(one), set()).add(i)
        return self._columns[name]

    def _order(self, name: str) -> tuple[list[int], list[Any]]:
        """The models by what `name` sorts by, and that of each."""
        if name not in self._orders:
            keys = list(map(_ORDERS[name], self.models))
            order = sorted(range(len(keys)), key=keys.__getitem__)
            self._orders[name] = order, [keys[i] for i in order]
        return self._orders[name]

    def _until(self, name: str, most: float) -> set[int]:
        order, keys = self._order(name)
        return set(order[: bisect.bisect_right(keys, most)])


def wish_of(given: Mapping[str, Any]) -> Wish:
    """A wish from the arguments of `LLMRegistry.find`, abilities among them.

    Raises: ConfigError: an ability or an order is unknown.
    """
    own = {one.name for one in fields(Wish)} - {"abilities"}
    abilities = {name: value for name, value in given.items() if name not in own}
    for name, value in abilities.items():
        if name not in ABILITIES:
            near = nearest(name, [*ABILITIES, *own])
            fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(ABILITIES)}."
            raise ConfigError(name, "is not an ability", fix=fix)
        if not isinstance(value, bool):
            raise ConfigError(name, "is true or false")
    for name, (is_right, words) in _RIGHT.items():
        if name in given and not is_right(given[name]):
            raise ConfigError(name, f"{given[name]!r} is not {words}")
    order = given.get("order_by") or ""
    if order and order not in _ORDERS:
        raise ConfigError("order_by", f"{order!r} is not one of {', '.join(_ORDERS)}")
    return Wish(abilities, **{name: given[name] for name in own & given.keys()})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


_TRUTH = (lambda v: v is None or isinstance(v, bool)), "true, false or null"
_RIGHT: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "min_context": (_is_number, "a number of tokens"),
    "max_cost": (lambda v: v is None or _is_number(v), "a number of dollars"),
    "family": (lambda v: not v or v in [*ModelFamily], f"one of {', '.join(ModelFamily)}"),
    "provider": (lambda v: isinstance(v, str), "the name of a provider"),
    "kind": (lambda v: isinstance(v, str), "a mode of LiteLLM"),
    "local": _TRUTH,
    "deprecated": _TRUTH,
}
_ORDERS: dict[str, Any] = {
    "name": lambda one: one.name,
    "cost": lambda one: math.inf if (cost := one.cost) is None else cost,
    "context": lambda one: -(one.capabilities.max_context_window or 0),
}
