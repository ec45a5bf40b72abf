"""Cassandra's ``.POMDP`` files, the format of the classic problem collections.

A step there is: act in s, move to s' by T, observe by O(a, s'), gain R(a, s, s', o). Nothing is
observed before the first action. An observation that depends on the action needs the action that
was done last as a state factor; before the first action it tells nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.imports.cassandra_text import ALL, Names, names_of, parsed, values
from orchestrator.gmn.imports.imported import Imported
from orchestrator.gmn.imports.printed import MOST_SHOWN, UnreadError, compact, few, number, summed
from orchestrator.gmn.imports.rewards import Rewards, preferences
from orchestrator.gmn.limits import DEFAULT_LIMITS, HARD_LIMITS
from orchestrator.gmn.model import NAME_PATTERN
from orchestrator.types.pattern import pattern
from orchestrator.types.work import TooMuchWork, allowance, doing, look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.imports.cassandra_text import POMDPFile, Statement, Which
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

#: What the writer says of a document, and the format has no place for.
_NAMED = pattern(r"^# gmn (\{.*\})[ \t]*$", re.MULTILINE)
NAMES = {"name": "agent", "state": "state", "observation": "observation", "action": "action",
         "last": "last_action"}  # fmt: skip
_BRANCHES = 4096  # of the plan that an imported document makes at each step
_DEEPEST = 10


def read(text: str) -> Imported:
    """A ``.POMDP`` file as a document of one state factor, one observation and one action."""
    places = SourceMap(text)
    if len(text) > HARD_LIMITS.document_bytes:
        words = f"the document has {len(text)} characters, more than {HARD_LIMITS.document_bytes}"
        return Imported({}, errors=(finding("GMN704", words, got=len(text)),))
    try:
        with allowance(DEFAULT_LIMITS.work // 8):
            doing("reading a .POMDP file")
            return _Problem(parsed(text, places), places).imported(text)
    except UnreadError as error:
        return Imported({}, errors=(error.found,))
    except TooMuchWork as error:
        with allowance(None):
            return Imported({}, errors=(finding("GMN712", str(error)),))


class _Problem:
    """What a file says, as arrays: T [a, s, s'], O [a, s', o], R, the start."""

    def __init__(self, file: POMDPFile, places: SourceMap) -> None:
        self.file, self.places = file, places
        self.notes: list[Diagnostic] = []
        self.errors: list[Diagnostic] = []
        for name in ("states", "actions"):
            if name not in file.sections:
                words = f"the file has no {name}: section"
                raise UnreadError(finding("GMN010", words, place=places.at(0), got=name))
        self.states = names_of("state", file.sections["states"], places)
        self.actions = names_of("action", file.sections["actions"], places)
        self.is_observed = "observations" not in file.sections
        self.observations = self.states
        if not self.is_observed:
            self.observations = names_of("observation", file.sections["observations"], places)
        self._settle()

    def _settle(self) -> None:
        """Which digits are names."""
        by_table = {
            "T": (self.actions, self.states, self.states),
            "O": (self.actions, self.states, self.observations),
            "R": (self.actions, self.states, self.states, self.observations),
        }
        used: dict[int, list[Any]] = {}
        for one in self.file.tables:
            kinds = by_table[one.head.text]
            if len(one.refs) > len(kinds):
                words = f"{one.head.text}: takes at most {len(kinds)} names, got {len(one.refs)}"
                raise UnreadError(finding("GMN002", words, place=self.places.at(one.head.at)))
            for names, ref in zip(kinds, one.refs, strict=False):
                used.setdefault(id(names), []).append(ref)
        for names in (self.states, self.actions, self.observations):
            names.settle(used.get(id(names), []), self.places)

    def imported(self, text: str) -> Imported:
        """The document, or what is wrong with the file."""
        a, n, seen = self.actions.size, self.states.size, self.observations.size
        most = HARD_LIMITS.table_entries
        for what, size in (("T", a * n * n), ("O", a * n * seen)):
            if size > most:
                words = f"the table {what} would have {size} entries, more than {most}"
                raise UnreadError(finding("GMN702", words, got=size, expected=most))
        start = self._start()
        moved = self._table("T", (self.actions, self.states, self.states), start)
        if self.is_observed:
            sees = np.broadcast_to(np.eye(n), (a, n, n))
        else:
            sees = self._table("O", (self.actions, self.states, self.observations), None)
        rewards = self._rewards()
        policy = self._policy()
        if self.errors:
            return Imported({}, tuple(self.notes), tuple(self.errors))
        named = _named(text)
        document = self._document(named, start, moved, sees)
        sizes = tuple(names.shown for names in (self.actions, self.states, self.observations))
        wanted, how = preferences(rewards, moved, sees, sizes, named)
        if how:
            self.notes.append(finding("GMN810", how, place=self._first("R")))
        if wanted:
            document["preferences"] = wanted
        return Imported({**document, "policy": policy}, tuple(self.notes), (), self._offsets())

    def _table(self, key: str, kinds: Sequence[Names], start: Array | None) -> Array:
        """T or O: later statements override earlier ones; every row sums to 1 or is an error."""
        sizes = tuple(names.size for names in kinds)
        table, slack = np.zeros(sizes), np.zeros(sizes)
        by = np.full(sizes[:2], -1)
        statements = [one for one in self.file.tables if one.head.text == key]
        for i, one in enumerate(statements):
            refs = [k.at(ref, self.places) for k, ref in zip(kinds, one.refs, strict=False)]
            place: tuple[Which, ...] = tuple(refs)
            look(20, numbers=2 * table[place].size)
            numbers = self._probabilities(one, sizes[len(refs) :], start)
            table[place], slack[place] = numbers
            by[place[:2]] = i
        sums = summed(table, slack, -1)
        self._judge(key, kinds, sums, by, statements)
        return sums.table

    def _probabilities(
        self, one: Statement, sizes: tuple[int, ...], start: Array | None
    ) -> tuple[Array, Array]:
        """What a statement of T or O sets, and half a unit of the last digits."""
        said = [token.text for token in one.body]
        what = f"{one.head.text}: {' : '.join(token.text for token in one.refs)}"
        exact = np.zeros(sizes)
        if said == ["uniform"] and sizes:
            return np.full(sizes, 1.0 / sizes[-1]), exact
        if said == ["identity"] and len(sizes) == 2 and sizes[0] == sizes[1]:
            return np.eye(sizes[0]), exact
        if said == ["reset"] and sizes and start is not None:
            return np.broadcast_to(start, sizes), exact
        if said in (["uniform"], ["identity"], ["reset"]):
            words = f"{said[0]} cannot stand in {what}"
            raise UnreadError(finding("GMN002", words, place=self.places.at(one.body[0].at)))
        found = self._values(one, int(np.prod(sizes)), what)
        for token, p in zip(one.body, found[0], strict=False):
            if not 0 <= p <= 1:
                words = f"{what}: {p:g} is not a probability"
                raise UnreadError(finding("GMN209", words, place=self.places.at(token.at), got=p))
        return found[0].reshape(sizes), found[1].reshape(sizes)

    def _values(self, one: Statement, expected: int, what: str) -> Array:
        if not one.body:
            words = f"{what} has no numbers, expected {expected}"
            raise UnreadError(finding("GMN301", words, place=self.places.at(one.head.at)))
        return values(one.body, expected, what, self.places)

    def _judge(
        self, key: str, kinds: Sequence[Names], sums: Any, by: Any, statements: Sequence[Statement]
    ) -> None:
        """Report the rows that do not sum to 1, and those that do within their digits alone."""

        def row(at: Sequence[int]) -> str:
            labels = [names.shown[i] for names, i in zip(kinds, at, strict=False)]
            return f"{key}: action {labels[0]!r}, state {labels[1]!r}"

        if not statements:
            what = "the state moves" if key == "T" else "an observation comes about"
            words = f"there is no {key}: write how {what} for each action and state"
            self.errors.append(finding("GMN010", words))
            return
        wrong = np.argwhere(sums.wrong)
        found = []
        for at in wrong[:MOST_SHOWN].tolist():
            total, said = sums.totals[tuple(at)], by[tuple(at)]
            what = "next state" if key == "T" else "observation"
            words = f"{row(at)}: the probabilities of the {what} sum to {total:.10g}, not 1"
            if said < 0:
                words = f"{row(at)}: no probabilities are given"
            place = self.places.at(statements[said].head.at) if said >= 0 else None
            found.append(finding("GMN201", words, place=place, context=row(at), got=total))
        self.errors += few(found, len(wrong))
        rounded = np.argwhere(sums.rounded)
        if len(rounded):
            first = rounded[0].tolist()
            words = (
                f"{len(rounded)} rows sum to 1 within their printed digits and were scaled, the"
                f" first: {row(first)}, {sums.totals[tuple(first)]:.10g}"
            )
            place = self.places.at(statements[by[tuple(first)]].head.at)
            self.notes.append(finding("GMN810", words, place=place))

    def _listed(self, one: Statement) -> Array:
        """The first belief where states are listed that it may be in, or that it is not in."""
        kept = np.zeros(self.states.size, dtype=bool)
        for token in one.body:
            kept[self.states.at(token, self.places)] = True
        kept = ~kept if one.head.text == "start exclude" else kept
        if not one.body or not kept.any():
            words = f"{one.head.text}: leaves no state to start in"
            raise UnreadError(finding("GMN204", words, place=self.places.at(one.head.at)))
        made: Array = kept / kept.sum()
        return made

    def _start(self) -> Array:
        """The first belief; uniform where the file does not say it."""
        n, one = self.states.size, self.file.sections.get("start")
        if one is None:
            self.notes.append(finding("GMN810", "no start: is given, so every state is as likely"))
            return np.full(n, 1.0 / n)
        place, said = self.places.at(one.head.at), [token.text for token in one.body]
        is_list = len(said) > 1 and all(number(w) is None and w in self.states.labels for w in said)
        if is_list and one.head.text == "start":
            words = "start: names several states, read as start include:"
            self.notes.append(finding("GMN810", words, place=place))
        if is_list or one.head.text != "start":
            return self._listed(one)
        if said == ["uniform"]:
            return np.full(n, 1.0 / n)
        if len(said) == 1 and (n > 1 or number(said[0]) is None):
            one_hot = np.zeros(n)
            one_hot[self.states.at(one.body[0], self.places)] = 1.0
            if said == ["*"]:
                raise UnreadError(finding("GMN002", "start: * is not a state", place=place))
            return one_hot
        sums = summed(*self._probabilities(one, (n,), None), -1)
        if sums.wrong.any():
            words = f"start: the probabilities sum to {float(sums.totals):.10g}, not 1"
            self.errors.append(finding("GMN201", words, place=place, got=float(sums.totals)))
        elif sums.rounded.any():
            words = f"start: sums to {float(sums.totals):.10g} in its printed digits, scaled to 1"
            self.notes.append(finding("GMN810", words, place=place))
        return sums.table

    def _rewards(self) -> Rewards:
        """R on the axes that some statement tells apart; the others have length 1."""
        kinds = [self.actions, self.states, self.states]
        kinds += [] if self.is_observed else [self.observations]
        statements = [one for one in self.file.tables if one.head.text == "R"]
        for one in statements:
            if len(one.refs) > len(kinds) and one.refs[-1].text != "*":
                words = "R: names an observation, but the file declares none"
                raise UnreadError(finding("GMN105", words, place=self.places.at(one.head.at)))
        named = [
            any(len(one.refs) <= i or one.refs[i].text != "*" for one in statements)
            for i in range(len(kinds))
        ]
        sizes = [k.size if is_named else 1 for k, is_named in zip(kinds, named, strict=True)]
        if (entries := int(np.prod(sizes, dtype=object))) > HARD_LIMITS.table_entries:
            words = f"R would have {entries} entries, more than {HARD_LIMITS.table_entries}"
            raise UnreadError(finding("GMN702", words, place=self._first("R"), got=entries))
        table, sign = np.zeros(sizes), self._sign()
        for one in statements:
            refs = [k.at(ref, self.places) for k, ref in zip(kinds, one.refs, strict=False)]
            place = tuple(
                at if is_named else ALL for at, is_named in zip(refs, named, strict=False)
            )
            if len(kinds) - len(refs) > 2:
                words = "R: needs an action and a state before its numbers"
                raise UnreadError(finding("GMN002", words, place=self.places.at(one.head.at)))
            look(20, numbers=table[place].size)
            what = f"R: {' : '.join(token.text for token in one.refs)}"
            rest = sizes[len(refs) :]
            table[place] = sign * self._values(one, int(np.prod(rest)), what)[0].reshape(rest)
        if not np.isfinite(table).all():
            raise UnreadError(finding("GMN203", "R: is not finite", place=self._first("R")))
        return Rewards(table if len(kinds) == 4 else table[..., None])

    def _sign(self) -> float:
        one = self.file.sections.get("values")
        said = [token.text.lower() for token in one.body] if one else ["reward"]
        if one is None:
            self.notes.append(finding("GMN810", "no values: is given; numbers of R are rewards"))
        elif said == ["cost"]:
            words = "values: cost, so every number of R is a utility with the sign turned"
            self.notes.append(finding("GMN810", words, place=self.places.at(one.head.at)))
        elif said != ["reward"]:
            words = f"values: {' '.join(said)[:40]!r} is neither reward nor cost"
            raise UnreadError(finding("GMN002", words, place=self.places.at(one.head.at)))
        return -1.0 if said == ["cost"] else 1.0

    def _policy(self) -> dict[str, object]:
        """Plans that branch, as deep as is cheap: the format says nothing of planning."""
        one, discount = self.file.sections.get("discount"), 1.0
        if one is None:
            self.notes.append(finding("GMN810", "no discount: is given; 1 is taken"))
        else:
            discount = float(self._values(one, 1, "discount:")[0][0])
        branches = self.actions.size * self.observations.size
        depths = [h for h in range(1, _DEEPEST + 1) if branches**h <= _BRANCHES]
        horizon = max(depths, default=1)
        words = f"the format has no horizon: plans look {horizon} steps ahead; policy says it"
        self.notes.append(finding("GMN810", words))
        return {"horizon": horizon, "selection": "contingent", "info_gain": False,
                "discount": discount}  # fmt: skip

    def _first(self, key: str) -> Any:
        at = next((one.head.at for one in self.file.tables if one.head.text == key), 0)
        return self.places.at(at)

    def _offsets(self) -> dict[str, int]:
        heads = {one.head.text: one.head.at for one in reversed(self.file.tables)}
        heads |= {name: one.head.at for name, one in self.file.sections.items()}
        pointers = {"states": "/states", "actions": "/actions", "observations": "/observations",
                    "start": "/priors/0", "discount": "/policy/discount", "T": "/transitions/0",
                    "O": "/likelihoods/0", "R": "/preferences"}  # fmt: skip
        return {pointer: heads[name] for name, pointer in pointers.items() if name in heads}

    def _document(
        self, named: dict[str, str], start: Array, moved: Array, sees: Array
    ) -> dict[str, Any]:
        state, observation, action = (named[k] for k in ("state", "observation", "action"))
        labels, seen = self.states.shown, self.observations.shown
        n = self.states.size
        made: dict[str, Any] = {
            "name": named["name"],
            "states": [_variable(state, self.states)],
            "observations": [_variable(observation, self.observations)],
            "actions": [_variable(action, self.actions)],
            "transitions": [_given(state, [action, state], moved.reshape(-1, n), labels)],
            "priors": [{"of": state, "table": compact(start[None], labels)}],
        }
        if (sees == sees[:1]).all():
            made["likelihoods"] = [_given(observation, [state], sees[0], seen)]
            possible = sees[0][start > 0]
            if (possible != possible[:1]).any():
                words = (
                    "the agent observes its first state too; in the file nothing is observed"
                    " before the first action"
                )
                self.notes.append(finding("GMN811", words, place=self._first("O")))
            return made
        last = named["last"]
        none = next(x for x in ("none", "none_yet", "_none") if x not in self.actions.shown)
        made["states"].append({"name": last, "labels": [none, *self.actions.shown]})
        before = np.full((1, *sees.shape[1:]), 1.0 / self.observations.size)
        rows = np.concatenate([before, sees]).reshape(-1, self.observations.size)
        made["likelihoods"] = [_given(observation, [last, state], rows, seen)]
        made["transitions"].append(
            {"of": last, "given": [action], "table": {"kind": "map", "map": self.actions.shown}}
        )
        made["priors"].append({"of": last, "table": {"kind": "map", "map": [none]}})
        words = (
            f"observations depend on the action, so the action done last is the state {last!r};"
            f" at {none!r}, before the first action, every observation is as likely"
        )
        self.notes.append(finding("GMN810", words, place=self._first("O")))
        return made


def _variable(name: str, names: Names) -> dict[str, object]:
    return {"name": name, "labels": names.labels} if names.labels else {
        "name": name, "size": names.size
    }  # fmt: skip


def _given(of: str, given: list[str], rows: Array, labels: Sequence[str]) -> dict[str, Any]:
    may_stay = len(rows) % rows.shape[1] == 0 and (len(given) > 1 or len(rows) == rows.shape[1])
    return {"of": of, "given": given, "table": compact(rows, labels, may_stay=may_stay)}


def _named(text: str) -> dict[str, str]:
    """The names that a document had when it was written as a ``.POMDP`` file."""
    found = _NAMED.search(text)
    try:
        said = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError):
        said = {}
    names = {
        key: word
        for key, word in said.items()
        if key in NAMES and isinstance(word, str)
        and (key == "name" or re.fullmatch(NAME_PATTERN, word))
    }  # fmt: skip
    made = {**NAMES, **names}
    is_clear = len({made[key] for key in NAMES if key != "name"}) == len(NAMES) - 1
    return made if is_clear else NAMES
