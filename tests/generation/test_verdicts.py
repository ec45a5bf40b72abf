"""A verdict is remembered under everything that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator import Orchestrator
from orchestrator.generation.gmn_contract import (
    LONGEST_REMEMBERED,
    MOST_VERDICTS,
    GMNContract,
    Verdicts,
)
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.limits import Limits
from orchestrator.types.requests import Description
from orchestrator.types.searching import Citation
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured

SENTENCE = "a walker on three fields that likes the last one"


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were judged, not remembered."""
    texts: list[str] = []
    judge = GMNContract._judged

    def counted(self: GMNContract, text: str) -> object:
        texts.append(text)
        return judge(self, text)

    monkeypatch.setattr(GMNContract, "_judged", counted)
    return texts


async def test_the_same_answer_from_the_cache_is_judged_once(
    judged: list[str], wire: WireServer
) -> None:
    wire.plan("small", GOOD)
    async with Orchestrator(configured(wire.base, "small")) as orc:
        first = await orc.generate_gmn(SENTENCE)
        kept = [await orc.generate_gmn(SENTENCE) for _ in range(3)]
    assert all(one.cached and one.spec == first.spec for one in kept)
    assert kept[-1].report == kept[0].report
    assert len(judged) == 2  # the answer, and the document that was made of it


DIFFERENT: dict[str, Callable[[GMNContract], GMNContract]] = {
    "limits": lambda c: replace(c, limits=Limits(horizon=1)),
    "constraints": lambda c: replace(c, constraints={"max_states": 2}),
    "expectations": lambda c: replace(c, expectations=(Expectation.parse("place=c within 9"),)),
    "repair": lambda c: replace(c, repair="none"),
    "episodes": lambda c: replace(c, episodes=3),
    "description": lambda c: replace(c, description="must reach c"),
    "shown": lambda c: replace(c, shown=(GOOD,)),
    "sources": lambda c: replace(c, sources=(Citation(1, "t", "https://a.example", "", ""),)),
    "fits": lambda c: replace(c, fits="error"),
    "fits_share": lambda c: replace(c, fits_share=0.9),
    "is_embedded": lambda c: replace(c, is_embedded=True),
    "asked": lambda c: replace(c, asked=Description("another sentence", "explorer", {})),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_contract_judges_again(judged: list[str], name: str) -> None:
    contract = GMNContract(verdicts=Verdicts())
    assert contract.evaluate(GOOD) is contract.evaluate(GOOD)
    DIFFERENT[name](contract).evaluate(GOOD)
    assert judged == [GOOD, GOOD]


def test_every_field_of_a_contract_is_in_the_key() -> None:
    # Of a document that is changed, and of a text that arrives; not of evaluate().
    beside = {"keeps_metadata", "verdicts", "_beginning"}
    assert set(GMNContract.__dataclass_fields__) - beside == set(DIFFERENT)


def test_few_verdicts_are_kept_and_none_on_a_long_text(judged: list[str]) -> None:
    contract = GMNContract(verdicts=Verdicts())
    for number in range(MOST_VERDICTS + 5):
        contract.evaluate(f"{number}")
    assert contract.verdicts is not None
    assert len(contract.verdicts.kept) == MOST_VERDICTS
    long = "x" * (LONGEST_REMEMBERED + 1)
    contract.evaluate(long)
    contract.evaluate(long)
    assert judged.count(long) == 2
