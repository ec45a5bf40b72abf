"""A wish is answered by columns as it would be by looking at each model."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.models.facts import ABILITIES
from orchestrator.models.known import KnownFacts
from orchestrator.models.profiles import LLMProfile, ModelFamily
from orchestrator.models.retirement import today_utc
from orchestrator.models.wishes import Shelf, Wish, wish_of
from tests.support.examples import share_of


@cache
def shelf() -> Shelf:
    return Shelf(KnownFacts(Path("nowhere")).whole_table.models[::7])


def fulfils(one: LLMProfile, wish: Wish, today: datetime.date) -> bool:
    abilities = one.capabilities.model_dump()
    is_gone = one.retires_on is not None and one.retires_on <= today
    return (
        one.kind == wish.kind
        and wish.provider in ("", one.provider)
        and wish.family in ("", one.family)
        and wish.local in (None, one.is_local)
        and wish.deprecated in (None, is_gone)
        and (not wish.min_context or (one.capabilities.max_context_window or 0) >= wish.min_context)
        and (wish.max_cost is None or (one.cost is not None and one.cost <= wish.max_cost))
        and all(abilities[name] is value for name, value in wish.abilities.items())
    )


def key(one: LLMProfile, order: str) -> Any:
    cost = float("inf") if one.cost is None else one.cost
    window = -(one.capabilities.max_context_window or 0)
    return {"name": one.name, "cost": cost, "context": window, "": 0}[order]


@settings(max_examples=share_of(150), deadline=None)
@given(
    wanted=st.fixed_dictionaries(
        {},
        optional={
            "min_context": st.sampled_from([0, 1, 8192, 128_000, 10**9]),
            "max_cost": st.none() | st.sampled_from([0, 0.5, 3.0, 1e9, float("inf")]),
            "family": st.sampled_from(["", *ModelFamily]),
            "provider": st.sampled_from(["", "openai", "groq", "bedrock", "nobody"]),
            "local": st.none() | st.booleans(),
            "deprecated": st.none() | st.booleans(),
            "kind": st.sampled_from(["chat", "embedding", "chatt"]),
            "order_by": st.sampled_from(["", "name", "cost", "context"]),
        },
    ),
    abilities=st.dictionaries(st.sampled_from([*ABILITIES]), st.booleans(), max_size=3),
)
def test_columns_find_what_each_model_shows(
    wanted: dict[str, Any], abilities: dict[str, bool]
) -> None:
    wish, today = wish_of({**wanted, **abilities}), today_utc()
    seen = [one for one in shelf().models if fulfils(one, wish, today)]
    assert shelf().among(wish) == sorted(seen, key=lambda one: key(one, wish.order_by))
