"""Broken answers and the right verdict on each: how many get it, how many are read without a call.

`readings.json` holds answers of models with bad habits and worse ones. A verdict is ``valid``
(nothing had to be changed), ``repaired`` (read, each change reported, no further call) or ``ask``
(the model is asked again: there is no reading, or more than one). Taking a wrong value is the one
fault that cannot be made good, so an entry that should be asked about and is accepted is named
first.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, field_validator
from typing_extensions import TypedDict

from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract

RECORDED = Path(__file__).with_suffix(".json")


class Ticket(BaseModel):
    """A seat and its price."""

    seat: str
    price: int


class Stop(BaseModel):
    """A part of a `Tour`."""

    name: str


class Tour(BaseModel):
    """An object in an object, and a list of them."""

    first: Stop
    rest: list[Stop] = []


class Valve(BaseModel):
    """Words that are near one another and mean the opposite."""

    state: Literal["active", "inactive", "min_flow", "max_flow", "stage_1", "stage_10"]


class Tables(BaseModel):
    """Lists of lists, of words and of numbers."""

    rows: list[list[float]] = []
    names: list[str] = []
    weights: list[float] = []


class Chance(BaseModel):
    """A probability, and a number that is none."""

    p: Annotated[float, Field(ge=0, le=1)]
    metres: float = 0.0


class Room(BaseModel):
    """What may be absent."""

    floor: int | None
    lamp: str | None = None
    since: datetime.date | None = None


class Switch(BaseModel):
    """What pydantic converts without a word, unless it is strict."""

    on: bool = False
    level: float = 0.0
    count: int = 0
    day: datetime.date | None = None
    at: datetime.datetime | None = None


class Money(BaseModel):
    """Decimals, durations, and one of two numbers."""

    euros: decimal.Decimal = decimal.Decimal("12.50")
    wait: datetime.timedelta = datetime.timedelta(seconds=5)
    kind: Literal[1, 2] = 1


class Keyed(BaseModel):
    """Numbers as keys, and a set."""

    places: dict[int, str] = {}
    seen: set[int] = set()


class Infinite(BaseModel):
    """A number that may be infinite, because its author says so."""

    f: Annotated[float, Field(allow_inf_nan=True)]


class Pump(BaseModel):
    """A type whose author reads units, and converts one field leniently."""

    litres: float
    turns: Annotated[int, Field(strict=False)] = 0

    @field_validator("litres", mode="before")
    @classmethod
    def without_unit(cls, given: object) -> object:
        """``"3 l"`` is 3."""
        return given.removesuffix(" l") if isinstance(given, str) else given


@dataclasses.dataclass
class Spot:
    """A dataclass as a root."""

    x: int
    y: int


class Row(TypedDict):
    """A TypedDict as a root."""

    key: str
    n: int


CONTRACTS: dict[str, Any] = {
    name: contract_of(wanted)
    for name, wanted in {
        "ticket": Ticket, "tour": Tour, "valve": Valve, "tables": Tables, "chance": Chance,
        "room": Room, "switch": Switch, "pump": Pump, "spot": Spot, "row": Row,
        "stop": Stop, "stops": list[Stop], "money": Money, "keyed": Keyed, "flag": bool,
        "weather": Literal["wet", "dry"], "maybe": Stop | None, "scores": dict[str, int],
        "either": Ticket | Stop, "text": str, "open": {"type": "object"},
        "names": list[str], "grid": list[list[float]], "infinite": Infinite,
        "share": Annotated[float, Field(ge=0, le=1)],
        "numbers": {"type": "array", "items": {"type": "number"}},
        "size": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0},
                 "unit": {"enum": ["m", "km"]}}, "required": ["size"],
                 "additionalProperties": False},
    }.items()
}  # fmt: skip
CONTRACTS["gmn"] = GMNContract()


def reading(contract: str, text: str) -> tuple[str, object]:
    """The verdict on an answer, and the value that was read; a document as its JSON."""
    evaluation = CONTRACTS[contract].evaluate(text)
    if not evaluation.is_accepted:
        return "ask", None
    verdict = "repaired" if evaluation.report.repairs else "valid"
    if contract == "gmn":
        return verdict, evaluation.value.to_json()
    return verdict, TypeAdapter(Any).dump_python(evaluation.value, mode="json")


def wrong(entry: dict[str, Any]) -> str:
    """What is wrong with the reading of an entry; empty when it is right."""
    verdict, value = reading(entry["contract"], entry["text"])
    wanted = entry["verdict"]
    if verdict != wanted:
        return f"{wanted} is right, got {verdict}" + (f" {value!r}" if verdict != "ask" else "")
    right = entry.get("value")
    if entry["contract"] == "gmn" and "same_as" in entry:
        right = reading("gmn", entry["same_as"])[1]
    is_right = wanted == "ask" or json.dumps(value, sort_keys=True) == json.dumps(
        right, sort_keys=True
    )
    return "" if is_right else f"{right!r} is right, got {value!r}"


def repaired_share(entries: list[dict[str, Any]]) -> float:
    """The share of the entries that are not valid as they stand and are read without a call."""
    verdicts = [reading(one["contract"], one["text"])[0] for one in entries]
    return verdicts.count("repaired") / max(1, len(verdicts) - verdicts.count("valid"))


def main() -> int:
    """Print the figures; 1 when an entry is read wrong or the share has fallen."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    entries = recorded["entries"]
    faults = [(one, fault) for one in entries if (fault := wrong(one))]
    for one, fault in sorted(faults, key=lambda pair: pair[0]["verdict"] != "ask"):
        print(f"{one['kind']}: {one['text'][:80]!r}: {fault}")
    share = repaired_share(entries)
    print(f"{len(entries) - len(faults)} of {len(entries)} answers are read right")
    print(f"{share:.3f} of those that need it are repaired without a call,"
          f" recorded {recorded['share']:.3f}")  # fmt: skip
    return 1 if faults or share < recorded["share"] else 0


if __name__ == "__main__":
    sys.exit(main())
