"""What a sentence commits its model to is read, and nothing is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.request.read import MOST_CHARACTERS, read_request
from tests.support.commitments import Sentence, sentences, shares
from tests.support.counting import calls_of


def _read(text: str) -> list[tuple[str, object]]:
    return [(one.kind, one.value) for one in read_request(text).commitments]


@pytest.mark.parametrize("half", ["before", "after"])
def test_nineteen_of_twenty_commitments_are_read_and_as_few_invented(half: str) -> None:
    recall, precision = shares(half)
    assert recall >= 0.94
    assert precision >= 0.97


def test_the_sentences_are_many_and_of_many_domains() -> None:
    assert len(sentences()) >= 120
    assert {one.half for one in sentences()} == {"before", "after"}


@pytest.mark.parametrize("one", sentences(), ids=lambda one: one.id)
def test_words_that_nobody_understands_are_listed(one: Sentence) -> None:
    assert set(one.not_understood) <= set(read_request(one.text).not_understood)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("r1c1 is not a trap", set()),
        ("it does not want to avoid the storm", set()),
        ("The harbour is never closed.", set()),
        ("The microphone isn't noisy.", set()),
        ("Nothing else is said.", set()),
        ("hm", set()),
        ("", set()),
        ("He wants tea, coffee or water.", {"options"}),
        ("no more than usual", set()),
        ("It must not reach r1c1.", {"avoid"}),
        ("an explorer who is not cautious", {"temper"}),
    ],
)
def test_a_negation_never_becomes_what_it_denies(text: str, kinds: set[str]) -> None:
    assert {kind for kind, _ in _read(text)} == kinds


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("reach (2, 3)", "r2c3"),
        ("reach [2,3]", "r2c3"),
        ("reach r2c3", "r2c3"),
        ("reach row 2, column 3", "r2c3"),
        ("reach column 3 of row 2", "r2c3"),
        ("reach the second row and third column", "r2c3"),
        ("reach the top-left corner", "top left corner"),
        ("reach the northwest corner", "top left corner"),
        ("reach the corner at the bottom right", "bottom right corner"),
        ("reach the corner r2c2", "r2c2"),
        ("reach the tile r2c3", "r2c3"),
        ("reach the centre", "centre"),
        ("reach the center cell", "centre"),
    ],
)
def test_a_place_is_read_in_the_notations_that_people_use(text: str, place: str) -> None:
    assert _read(text) == [("goal", place)]


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("the sensor is right 9 times out of 10", 0.1),
        ("the sensor is 90% accurate", 0.1),
        ("the sensor is wrong one time in ten", 0.1),
        ("ninety percent reliable", 0.1),
        ("the sensor is never wrong", 0.0),
        ("without noise", 0.0),
        ("a noise of 10 per cent", 0.1),
        ("it is 0.9 reliable", 0.1),
        ("a good one is right nine times in ten", 0.1),
        ("I see which one 9 times in 10, which is reliable", 0.1),
    ],
)
def test_odds_of_being_right_and_of_being_wrong_are_the_same_noise(text: str, noise: float) -> None:
    assert _read(text) == [("noise", pytest.approx(noise))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It must never dive near r2c2, and its goal is harbour.",
         [("avoid", "r2c2"), ("goal", "harbour")]),
        ("The door stays open.", [("goal", "open")]),
        ("Drawer B is locked and must be avoided.", []),
        ("I want silence, an agent is near.", [("goal", "silence")]),
        ("It avoids the vault or the cellar.", [("avoid", "vault"), ("avoid", "cellar")]),
        ("She wants to be warm, not cold, and hates noise.",
         [("goal", "warm"), ("avoid", "cold"), ("avoid", "noise")]),
        ("The mouse avoids neither the cat nor the owl.", []),
        ("Rooms A-D. Start: B. Target: D. Forbidden: C.",
         [("options", ("A", "B", "C", "D")), ("start", "B"), ("goal", "D"), ("avoid", "C")]),
        ("The signal has three values, red / yellow / green.",
         [("count", (3, "value")), ("options", ("red", "yellow", "green"))]),
        ("There must be three states (low, mid, high).",
         [("count", (3, "state")), ("states", ("low", "mid", "high"))]),
        ("each holds 10 to 20 crates", []),
        ("I don't want it to go anywhere near the top right corner.",
         [("avoid", "top right corner")]),
        ("Opening costs 100, the other pays 10.", [("utility", -100.0), ("utility", 10.0)]),
        ("find the charger at (6, 4)", [("goal", "r6c4")]),
        ("the goal is not r0c3 but r3c3", [("goal", "r3c3")]),
        ("The goal is worth 12.", [("utility", 12.0)]),
        ("It brings itself to the nest in the upper-right corner.",
         [("goal", "top right corner")]),
        ("I'd like a parrot agent.", []),
        ("We fold, call or raise.", [("actions", ("fold", "call", "raise"))]),
        ("I am asleep or awake.", [("states", ("asleep", "awake"))]),
        ("A crane, up, down or stay.", [("actions", ("up", "down", "stay"))]),
        ("She can ask a hard question, a trick question or stop.",
         [("actions", ("ask a hard question", "trick question", "stop"))]),
        ("The wind blows up, down or left.", []),
        ("Three huts, a mill, an inn and a barn.",
         [("count", (3, "hut")), ("options", ("mill", "inn", "barn"))]),
        ("Two rooms, a cat, an inn and a barn.", [("count", (2, "room"))]),
        ("Nothing is ever misread.", [("noise", 0.0)]),
        ("Bay A, bay B and bay C, never bay A.",
         [("options", ("Bay A", "bay B", "bay C")), ("avoid", "bay A")]),
        ("The hole at (2, 2) must never be entered.", [("avoid", "r2c2")]),
        ("The guest at (2, 2) must never be harmed.", [("avoid", "harmed")]),
        ("Tossing shows the truth 60% of the time.", [("noise", 0.4)]),
        ("Observe water low/high.", [("observations", ("low", "high"))]),
        ("Lever 3 pays 80%, no noise.", [("chance", 0.8), ("noise", 0.0)]),
    ],
)  # fmt: skip
def test_sentences_that_were_misread_once_are_read(text: str, wanted: list[object]) -> None:
    assert _read(text) == wanted


def test_a_cost_is_negative_and_a_reward_positive_whatever_sign_is_written() -> None:
    assert _read("A step costs 2, a fall costs -5, the top is worth +9, a loss is worth -3.") == [
        ("utility", -2.0),
        ("utility", -5.0),
        ("utility", 9.0),
        ("utility", -3.0),
    ]


def test_what_is_beyond_the_longest_text_is_counted_and_not_read() -> None:
    reading = read_request("hm. " * MOST_CHARACTERS + "goal: r2c3")
    assert reading.commitments == ()
    assert reading.unread == 3 * MOST_CHARACTERS + len("goal: r2c3")


_WORDS = (
    "states: a , b or c (2, 3) row 2 column the top left corner never not reach avoid 90% one in"
    " ten costs -4 is \" ' ` without trap from to 5x5 plan ahead p0 .. p3 keeps stays \u00df \u0130"
)
_PIECES = st.sampled_from([*_WORDS.split(" "), "\n"])


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=40).map(" ".join)))
def test_every_commitment_of_any_text_stands_in_it(text: str) -> None:
    reading = read_request(text)
    for one in reading.commitments:
        assert reading.said(one).strip()
        assert 0 <= one.span.start < one.span.end <= len(text)
    assert all(word in text.replace("\u2019", "'") for word in reading.not_understood)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Calling the vet when the cow is well costs 2.", "Calling vet cow well"),
        ("Each time the vet is there, the cow costs 2.", "cow"),
    ],
)
def test_a_cost_is_of_the_deed_and_of_its_condition(text: str, about: str) -> None:
    assert [one.about for one in read_request(text).commitments] == [about]


def _steps(text: str) -> int:
    return calls_of(lambda: read_request(text))


#: Repeated; {n} is another number each time.
_UNITS = (
    "/*a", ", - 10", ", * b", "a/", "a, ", "a or ", "top/cell ", "states: /*a", "(", "[{",
    "r1c2 | ", "not ", "the ", "1-", "p0..", "states: a{n}, b{n}. ", '"n{n}" ',
    "named a{n} ", "no x{n}. ",
    "never x{n}. ", "a{n} or b{n}. ", "{n} states. ", "10% noise. no x{n}. ", "costs {n} a{n}. ",
    "it is a, b or c. d{n}: a to b, else no change. ", "a (50%) or b (50%). x{n}, 10%. ",
    "states: a, b. In the morning {n} it is a. a stays a. ", "prior .5, .5. a{n} or b. ",
    "it is a, b. x{n}: a to b, ",
    "states: a, b. d{n} makes a b with .2 / b 0.1. ", "a{n} = one up, 1/{n}, 3:1 right. ",
    "if a{n} then b{n}. ", "wants a{n} with 0.{n}. ",
)  # fmt: skip


@pytest.mark.parametrize("unit", _UNITS)
def test_the_work_of_reading_grows_as_its_text(unit: str) -> None:
    once, twice = ("".join(unit.replace("{n}", str(n)) for n in range(m)) for m in (400, 800))
    read_request(twice)  # its words are in the caches from here on
    assert _steps(twice) < 2.3 * _steps(once)
    assert _steps(twice) < 1000 * len(twice)


@pytest.mark.parametrize("bullet", ["*", "-", "\u2022"])
def test_a_bullet_after_a_comma_begins_no_list_of_its_own(bullet: str) -> None:
    once = _steps(f"/{bullet}a" * 800)
    assert once < 3 * _steps("/a" * 800)
