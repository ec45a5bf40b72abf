"""What a sentence says outright, as far as code can read it: lists, things that are counted,
places, names that stand alone. No model is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from orchestrator.generation.staged.function_words import without_function_words
from orchestrator.generation.staged.names import label_of, labels_of
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.request.labels import is_near, is_place, stems
from orchestrator.gmn.request.read import read_request
from orchestrator.gmn.request.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.request.commitment import Commitment, Kind, RequestReading

#: What the values of a list are.
Role = Literal["states", "observations", "actions"]

MOST_VALUES = 64  # of something that is counted
_MOST_WORDS = 16  # of a sentence that a question offers
_NAMING = ("states", "observations", "actions", "options", "named")
_PLACED = ("start", "goal", "avoid")


def figure(one: Commitment) -> float:
    """The number of a commitment that is one: a utility, a chance, a horizon."""
    if not isinstance(one.value, int | float):
        raise TypeError(f"{one.kind} {one.value!r} is not a number")
    return float(one.value)


@dataclass(frozen=True, slots=True)
class NameList:
    """The names of one list.

    Attributes:
        role: what they are; None where the sentence leaves it open.
        said: the words of the sentence that list them.
        noun: what is counted, of a list that only says how many there are.
    """

    labels: tuple[str, ...]
    role: Role | None
    said: str
    noun: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a sentence says.

    Attributes:
        lists: of names, in the order of the text, then of things that are counted.
        size: rows and columns of a grid; None without one.
        alone: what is wanted, avoided, or a start, and stands in no list.
        words: words of the sentence that no rule read, as labels.
    """

    reading: RequestReading
    lists: tuple[NameList, ...] = ()
    size: tuple[int, int] | None = None
    alone: tuple[str, ...] = ()
    words: tuple[str, ...] = field(default=())

    @property
    def sentence(self) -> str:
        """The text as the user wrote it."""
        return self.reading.text

    def said(self, *kinds: Kind) -> list[Commitment]:
        """The commitments of these kinds."""
        return [one for one in self.reading.commitments if one.kind in kinds]

    @property
    def open_lists(self) -> list[int]:
        """The lists whose role the sentence leaves open."""
        return [n for n, one in enumerate(self.lists) if one.role is None]


def read_sheet(sentence: str) -> Sheet:
    """What code reads of a sentence; in time linear in its length."""
    reading = read_request(sentence)
    lists = list(_lists(reading))
    counted, alone = _counted(reading, lists)
    return Sheet(reading, (*lists, *counted), _grid(reading), tuple(alone), _words(reading))


def _grid(reading: RequestReading) -> tuple[int, int] | None:
    """Rows and columns; None where no variable may have so many values: `fits` says so then."""
    size = next((one.value for one in reading.commitments if one.kind == "size"), None)
    if not isinstance(size, tuple):
        return None
    rows, columns = int(size[0]), int(size[1])
    return (rows, columns) if rows * columns <= DEFAULT_LIMITS.variable_size else None


def _lists(reading: RequestReading) -> Iterator[NameList]:
    """The lists, then the quoted names that stand in none of them as one list."""
    role: dict[str, Role] = {
        "states": "states", "observations": "observations", "actions": "actions",
    }  # fmt: skip
    starts = [str(one.value) for one in reading.commitments if one.kind == "start"]
    known = set[str]()
    quoted: list[Commitment] = []
    for one in reading.commitments:
        if one.kind not in _NAMING:
            continue
        if not isinstance(one.value, tuple):
            quoted.append(one)
            continue
        names = tuple(map(str, one.value))
        known.update(names)
        labels, found = labels_of(names), role.get(one.kind)
        if found is None and any(is_near(start, label) for start in starts for label in labels):
            found = "states"
        yield NameList(labels, found, reading.said(one))
    alone = [one for one in quoted if one.value not in known]
    if alone:
        labels = labels_of(str(one.value) for one in alone)
        labels = labels if len(labels) > 1 else (labels[0], f"not_{labels[0]}")
        yield NameList(labels, None, ", ".join(reading.said(one) for one in alone))


def _counted(
    reading: RequestReading, lists: Sequence[NameList]
) -> tuple[list[NameList], list[str]]:
    """Things that are counted as lists, and the names that stand in no list then.

    What is wanted, avoided or a start is one of the things that are counted first, unless a list
    has it: ``eleven rooms … begins in the lobby``.
    """
    labels = [label for one in lists for label in one.labels]
    alone = [
        str(one.value)
        for one in reading.commitments
        if one.kind in _PLACED and not is_place(str(one.value))
    ]
    alone = [n for n in dict.fromkeys(alone) if not any(is_near(n, label) for label in labels)]
    found: list[NameList] = []
    for one in reading.commitments:
        if one.kind != "count" or not isinstance(one.value, tuple):
            continue
        count, noun = int(one.value[0]), str(one.value[1])
        if count > MOST_VALUES or any(len(known.labels) == count > 2 for known in lists):
            continue
        made = _numbered(count, noun, alone)
        alone = [name for name in alone if label_of(name) not in made]
        found.append(NameList(made, "states", reading.said(one), noun))
    return found, alone


def _numbered(count: int, noun: str, alone: Sequence[str]) -> tuple[str, ...]:
    """``room_1`` to ``room_n``; names that are wanted, avoided or a start stand for some."""
    made = [f"{label_of(noun)}_{n}" for n in range(1, count + 1)]
    own = [name for name in alone if any(stems(name) == stems(one) for one in made)]
    for name in own:
        at = next(n for n, one in enumerate(made) if stems(name) == stems(one))
        made[at] = label_of(name)
    others = [name for name in alone if name not in own and (label_of(name) not in ("", *made))]
    if own or len(others) > count:
        return tuple(made)
    free = [n for n in range(count) if n not in range(1, count - 1)] + list(range(1, count - 1))
    for name, at in zip(others, free, strict=False):
        made[at] = label_of(name)
    return labels_of(made)


def _words(reading: RequestReading) -> tuple[str, ...]:
    named = without_function_words(reading.not_understood)
    known = dict.fromkeys(label_of(word) for word in named)
    return tuple(word for word in known if len(word) > 2)[:_MOST_WORDS]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [token.low for token in tokens(text) if token.is_name]
