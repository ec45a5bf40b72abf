"""Every reader by its door: hostile texts take no longer than their length allows, none crash."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.imports import read
from orchestrator.models.secrets import Secrets
from tests.security import hostile
from tests.security.targets import TARGETS, run
from tests.support.documents import GOOD

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(900)  # much work, on machines that do other work too
LENGTH = 2400
#: What is hostile to one reader or another when it stands there a thousand times.
UNITS = (
    '"', '\\"', '\\\\"', "'", "`", "```\n", "@(", "1/", "1.", "{", "[", "#", "/*a", "\u201c",
    "&quot;",
    "<think>", "a=b and ", "a|", "[1]", "{a: 'b'}\n", '{"a": {"b": ', '"a":1,', '{"a":1,"a":2},',
    "[\u201c/*\u201d,", "end ", "node ", "gmn 1.0\n", "# c\n", "a: state {size: 2}\n", "a -> b\n",
    "agent a {}\n", "node state s { labels: [a, b] }\n", "```gmn\ngmn 1.0\nagent x {}\n```\n",
    '{"op":"add","path":"/a","value":1}', "-----BEGIN PRIVATE KEY-----", "sk-a1-", "bearer ",
    "password : ", "trap at (1,1) and ", "one of a, ", "not the ", "costs 1 in ", "row 1 ",
    "is b or ", "p0..", " ", "\n", "wait, no: [1] ",
)  # fmt: skip
#: What stands before them.
BEFORE = ("", "{")
_READERS = [name for name in TARGETS if name not in ("config", "schema")]


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", _READERS)
def test_no_text_takes_a_reader_longer_than_its_length_allows(name: str, every: int) -> None:
    for before, unit in list(zip(itertools.cycle(BEFORE), UNITS, strict=False))[::every]:
        make = _many(before, unit)
        read_it: Callable[[str], object] = lambda text: run(TARGETS[name], text)  # noqa: E731
        why = hostile.grows_faster(read_it, make, LENGTH, ramp=(24,), most=10_000)
        assert not why, (before, unit, why)


def _many(before: str, unit: str) -> Callable[[int], str]:
    return lambda length: before + unit * max(1, length // len(unit))


#: Pieces of what readers read, which are put together in any order.
_PIECES = st.sampled_from((*hostile.GENERAL, *UNITS, *GOOD.splitlines(keepends=True)))
TEXTS = st.lists(_PIECES | st.text(max_size=8), max_size=40).map("".join)


@pytest.mark.parametrize("name", TARGETS)
def test_any_text_is_read_or_refused(name: str) -> None:
    fuzzed(name, examples=10)


def fuzzed(name: str, *, examples: int, most_seconds: float = 60.0) -> None:
    """Read random texts; an error that is not the reader's own fails, an endless one too."""

    @settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(TEXTS)
    @example("[" * 3000)
    @example('{"a":' * 3000)
    @example("1" * 6000)
    @example('{"a": ' + "9" * 5000 + "}")
    def reads(text: str) -> None:
        assert hostile.cpu(lambda: run(TARGETS[name], text)) < most_seconds

    reads()


def test_an_expectation_with_many_bars_is_read_at_once() -> None:
    bars = "x=" + "|a" * 400
    assert len(Expectation.parse(f"{bars} within 3").wanted[0].labels) == 401
    with pytest.raises(ValueError, match="is not an expectation"):
        Expectation.parse(f"{bars} b within 3")
    with pytest.raises(ValueError, match="more than 2,000"):
        Expectation.parse(f"{bars * 10} within 3")


def test_a_graph_with_too_many_parts_is_refused_with_a_sentence() -> None:
    nodes = "".join(f"n{i}: state {{size: 2}}\n" for i in range(3000))
    found = read(f"[nodes]\n{nodes}")
    assert found.tree is None
    assert "3000 nodes and 0 edges, more than 2000" in str(found.findings[0])


def test_what_is_there_of_a_key_that_was_cut_off_is_removed() -> None:
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{'A' * 64}\n{'B' * 64}\n"
    for text in (f"{key}and more", f"{key}{key}-----END RSA PRIVATE KEY----- and more"):
        clean, found = Secrets([]).removed(text)
        assert found
        assert "AAAA" not in clean
        assert "BBBB" not in clean
        assert clean.endswith("and more")
    words = "-----BEGIN PRIVATE KEY----- is how it begins"
    assert Secrets([]).removed(words) == (words, 0)
