"""GNN files (Generalized Notation Notation) as documents of the language.

A is [observation, states…]. For B the files disagree: the description says (next, previous,
action), many are written action first. The order is taken by proof: the one whose columns sum to
1. A file that several orders fit, and which means different models in them, is refused with its
readings; ``b_tensor_order`` in its ModelParameters decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.gnn_names import Cast, require_discrete, roles
from orchestrator.gmn.imports.gnn_tables import Parameter, likelihood, transition
from orchestrator.gmn.imports.gnn_text import parsed
from orchestrator.gmn.imports.imported import Imported
from orchestrator.gmn.imports.printed import EXACT, UnreadError, compact, number, summed
from orchestrator.gmn.limits import DEFAULT_LIMITS, HARD_LIMITS
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.imports.gnn_names import Member
    from orchestrator.gmn.imports.gnn_text import GNNFile
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

_PLANNING = ("planning_horizon", "policy_len", "policy_length", "planning_depth")
#: What an agent computes from its tables: files link them without a declaration.
_COMPUTED = ("G", "F", "\u03c0", "pi", "t", "\u03b3", "gamma")
_POLICY = {"selection": "action_selection", "inference": "inference", "discount": "discount",
           "info_gain": "info_gain"}  # fmt: skip


def read(text: str) -> Imported:
    """A GNN file as a document; a state factor for each ``s``, a modality for each ``o``."""
    if len(text) > HARD_LIMITS.document_bytes:
        words = f"the document has {len(text)} characters, more than {HARD_LIMITS.document_bytes}"
        return Imported({}, errors=(finding("GMN704", words, got=len(text)),))
    try:
        with allowance(DEFAULT_LIMITS.work // 8):
            doing("reading a GNN file")
            return _Model(parsed(text)).imported()
    except UnreadError as error:
        return Imported({}, errors=(error.found,))
    except TooMuchWork as error:
        with allowance(None):
            return Imported({}, errors=(finding("GMN712", str(error)),))


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """A value of the file, or what a declaration is filled with."""

    array: Array
    slack: Array
    at: int


class _Model:
    """The parts of a file in the roles that their names give them."""

    def __init__(self, file: GNNFile) -> None:
        self.file = file
        self.notes = file.notes
        self.errors: list[Diagnostic] = []
        self.used: set[str] = set()
        self.offsets: dict[str, int] = {}
        require_discrete(file)
        self.cast = Cast(file)
        self.controls: dict[str, int] = {}

    def imported(self) -> Imported:
        """The document, or what is wrong with the file."""
        cast = self.cast
        made: dict[str, Any] = {"name": self._setting("model_name", self._title())}
        if about := self._setting("description", self.file.prose.get("ModelAnnotation", "")):
            made["description"] = about
        for key in ("agent_type", "metadata"):
            if key in self.file.settings:
                made[key] = self._setting(key, "")
        made["likelihoods"] = [self._likelihood(i, m) for i, m in enumerate(cast.observations)]
        made["transitions"] = [t for m in cast.states if (t := self._transition(m))]
        made["priors"] = [p for m in cast.states if (p := self._prior(m))]
        made["preferences"] = [p for m in cast.observations if (p := self._preference(m))]
        made["states"] = [self._variable("states", i, m) for i, m in enumerate(cast.states)]
        made["observations"] = [
            self._variable("observations", i, m) for i, m in enumerate(cast.observations)
        ]
        acting = [u for u in cast.controls if u.name in self.controls]
        for u in acting:
            u.size = self.controls[u.name]
        made["actions"] = [self._variable("actions", i, m) for i, m in enumerate(acting)]
        made["habits"] = [h for u in acting if (h := self._habit(u, acting))]
        made["policy"] = self._policy()
        self._say_what_is_left(acting)
        if self.errors:
            return Imported({}, tuple(self.notes), tuple(self.errors))
        document = {key: value for key, value in made.items() if value not in ([], {})}
        return Imported(document, tuple(self.notes), (), self.offsets)

    def _title(self) -> str:
        return " ".join(self.file.prose.get("ModelName", "").split()) or "agent"

    def _setting(self, key: str, default: Any) -> Any:
        """A setting; JSON where it is JSON."""
        said = self.file.settings.get(key)
        if said is None:
            return default
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            return {"true": True, "false": False}.get(said.lower(), said)

    def _filled(self, name: str, shape: Sequence[int] = ()) -> _Filled | None:
        """The numbers of a name; None where the file neither gives nor declares any.

        Raises: UnreadError: it is declared without a value (010), or as what has no numbers.
        """
        value, declared = self.file.values.get(name), self.file.variables.get(name)
        self.used.add(name)
        if value is not None and value.array is not None and value.slack is not None:
            return _Filled(value.array, value.slack, value.at)
        if value is None and declared is None:
            return None
        word = value.word if value is not None else declared.default if declared else ""
        at = value.at if value is not None else declared.at if declared else 0
        sides = [n for n in declared.dims if n is not None] if declared else []
        sides = sides or list(shape)
        if not word:
            words = f"{name} is declared, but InitialParameterization gives it no value"
            raise self.file.error("GMN010", words, at)
        entries = int(np.prod(sides, dtype=object)) if sides else 0
        if not 0 < entries <= HARD_LIMITS.table_entries:
            words = f"{name} would have {entries if entries < 10**15 else 'over 10^15'} entries"
            raise self.file.error("GMN702", words, at)
        array = np.zeros(sides)
        if word == "uniform":
            array += 1 / sides[0]
        elif word in ("eye", "identity") and len(sides) >= 2:
            array += np.eye(sides[0], sides[1]).reshape(*sides[:2], *[1] * (len(sides) - 2))
        elif word in ("ones", "zeros"):
            array += word == "ones"
        else:
            words = f"{name} is filled with {word[:40]!r}, which does not say its numbers"
            raise self.file.error("GMN008", words, at)
        return _Filled(array, np.zeros(sides), at)

    def _parameter(self, name: str, filled: _Filled) -> Parameter:
        return Parameter(self.file, name, filled.array, filled.slack, filled.at, self.notes)

    def _learned(self, kind: str, member: Member) -> _Filled | None:
        """Counts of a Dirichlet prior on the table of a variable."""
        for name in (member.of(f"dirichlet_{kind}"), member.of(f"p{kind}")):
            if name in self.file.values:
                return self._filled(name)
        return None

    def _likelihood(self, index: int, o: Member) -> dict[str, Any]:
        name = self.cast.table("A", o)
        filled = self._filled(name)
        if filled is None:
            raise self.file.error("GMN010", f"{name} has no value: P({o.name} | states)", None)
        linked = self.cast.linked(name, self.cast.states)
        o.size = o.size or filled.array.shape[0]
        param = self._parameter(name, filled)
        rows, parents = likelihood(param, o, linked, self.cast.states)
        rows, more = self._learning("A", o, param, rows)
        self.offsets[f"/likelihoods/{index}"] = filled.at
        labels = self._labels(o)
        return {
            "of": o.called, "given": [s.called for s in parents],
            "table": compact(rows, labels, may_stay=len(parents) == 1 and len(rows) == o.size),
            **more,
        }  # fmt: skip

    def _transition(self, s: Member) -> dict[str, Any] | None:
        name = self.cast.table("B", s)
        filled = self._filled(name)
        if filled is None and any(name in (*one, *other) for one, other in self.file.links):
            raise self.file.error("GMN010", f"{name} is linked, but has no value", s.at)
        if filled is None:
            return None  # a factor that nothing moves
        param = self._parameter(name, filled)
        linked = self.cast.linked(name, self.cast.states)
        acting = self.cast.linked(name, self.cast.controls)
        table, parents, sizes = transition(param, s, linked, acting, self.cast.actions_in(s))
        controls = self._controls(param, s, acting, sizes)
        if len(controls) < len(sizes):  # an axis of one value is not an action
            table = table.reshape(-1, s.size)
        table, more = self._learning("B", s, param, table)
        return {
            "of": s.called,
            "given": [*(u.called for u in controls), *(p.called for p in parents)],
            "table": compact(table, self._labels(s), may_stay=parents[-1] is s),
            **more,
        }

    def _controls(
        self, param: Parameter, s: Member, acting: Sequence[Member], sizes: Sequence[int]
    ) -> list[Member]:
        """The action behind each action axis of B."""
        found: list[Member] = []
        if len(sizes) > 1 and len(acting) != len(sizes):
            words = f"{param.name} has {len(sizes)} axes of actions; link its actions to it"
            raise param.wrong("GMN301", words)
        for size in sizes:
            fits = [u for u in acting if self.controls.get(u.name, u.size or size) == size]
            fits = [u for u in fits if u not in found]
            if size == 1 and not any(self.cast.labelled(u) for u in fits):
                continue
            same = [u for u in self.cast.controls if u.suffix == s.suffix and u not in found]
            every = fits or same or [u for u in self.cast.controls if u not in found]
            if not every:
                every = [self.cast.new_control(s)]
            if len(every) > 1 and not same:
                names = " or ".join(u.name for u in every)
                raise param.wrong("GMN809", f"{param.name}: its action is {names}; link one to it")
            u = next((x for x in every if x in same), every[0])
            if self.controls.setdefault(u.name, size) != size:
                words = f"{param.name} has {size} actions, {u.name} has {self.controls[u.name]}"
                raise param.wrong("GMN302", words)
            found.append(u)
        return found

    def _learning(
        self, kind: str, member: Member, param: Parameter, rows: Array
    ) -> tuple[Array, dict[str, Any]]:
        """The table that the counts of a variable stand for; `rows` where it has none."""
        counts = self._learned(kind, member)
        if counts is None:
            return rows, {}
        if counts.array.shape != param.array.shape:
            words = f"the counts of {param.name} have another shape than it"
            raise self.file.error("GMN301", words, counts.at)
        counted = counts.array.transpose(param.order).reshape(rows.shape)
        return self._scaled(param.name, counted, rows, counts.at)

    def _scaled(
        self, name: str, counts: Array, rows: Array, at: int
    ) -> tuple[Array, dict[str, Any]]:
        """The table that counts stand for, and what each of its rows is worth.

        Raises: UnreadError: rows are worth different counts (802), or a count is not above 0.
        """
        worth = counts.sum(axis=1)
        if not (np.isfinite(worth).all() and (counts >= 0).all() and (worth > 0).all()):
            raise self.file.error("GMN218", f"the counts of {name} are not all above 0", at)
        if np.ptp(worth) > EXACT * worth.max():
            words = (
                f"the counts of {name} sum to {worth.min():g} in one column and to"
                f" {worth.max():g} in another; the language has one concentration for a table"
            )
            raise self.file.error("GMN802", words, at)
        made = counts / worth[:, None]
        if np.abs(made - rows).max() > EXACT:
            words = (
                f"the agent begins with the counts of {name} and learns; the numbers of {name}"
                " itself are those of its environment and are left out"
            )
            self.notes.append(finding("GMN811", words, place=self.file.places.at(at)))
        return made, {"learn": True, "concentration": float(worth[0])}

    def _vector(self, name: str, size: int, what: str) -> tuple[_Filled, Array] | None:
        filled = self._filled(name, (size,))
        if filled is None:
            return None
        if filled.array.size != size:
            words = f"{name} has {filled.array.size} numbers for the {size} values of {what}"
            raise self.file.error("GMN402" if name[0] == "C" else "GMN301", words, filled.at)
        return filled, filled.array.reshape(-1)

    def _prior(self, s: Member) -> dict[str, Any] | None:
        name = self.cast.table("D", s)
        counts = self._learned("D", s)
        found = self._vector(name, s.size, s.name)
        if found is None:
            return None
        sums = summed(found[1], found[0].slack.reshape(-1), -1)
        if sums.wrong.any():
            words = f"{name} sums to {float(sums.totals):.10g}, not 1"
            raise self.file.error("GMN201", words, found[0].at)
        if sums.rounded.any():
            words = f"{name} sums to {float(sums.totals):.10g} in its printed digits, scaled to 1"
            self.notes.append(finding("GMN810", words, place=self.file.places.at(found[0].at)))
        rows: Array = sums.table[None]
        more: dict[str, Any] = {}
        if counts is not None and counts.array.size == s.size:
            rows, more = self._scaled(name, counts.array.reshape(1, -1), rows, counts.at)
        return {"of": s.called, "table": compact(rows, self._labels(s)), **more}

    def _preference(self, o: Member) -> dict[str, Any] | None:
        name = self.cast.table("C", o)
        declared = self.file.variables.get(name)
        if name not in self.file.values and (declared is None or not declared.default):
            if declared is not None:
                words = f"{name} is declared without a value: no preference on {o.name}"
                self.notes.append(finding("GMN803", words, place=self.file.places.at(declared.at)))
            return None
        found = self._vector(name, o.size, o.name)
        if found is None or not found[1].any():
            return None
        return {"on": o.called, "values": found[1].tolist()}

    def _habit(self, u: Member, acting: Sequence[Member]) -> dict[str, Any] | None:
        """E as weights of an action: probabilities, or logarithms of such."""
        name = self.cast.table("E", u) if len(acting) > 1 else self.cast.alone("E") or u.of("E")
        declared = self.file.variables.get(name)
        if name not in self.file.values and (declared is None or not declared.default):
            return None
        filled = self._filled(name, (u.size,))
        if filled is None:
            return None
        place = self.file.places.at(filled.at)
        weights = filled.array.reshape(-1)
        if weights.size != u.size:
            words = f"{name} ignored: its {weights.size} numbers are not one for each {u.name}"
            self.notes.append(finding("GMN803", words, place=place))
            return None
        if np.ptp(weights) == 0:
            return None
        if (weights <= 0).all():
            with np.errstate(under="ignore"):
                total = float(np.exp(weights).sum())
            if abs(total - 1) <= 0.02:
                words = f"{name} read as logarithms: their exponentials sum to {total:.4g}"
                self.notes.append(finding("GMN810", words, place=place))
                weights = np.exp(weights)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            words = f"{name} is neither weights nor logarithms of probabilities"
            raise self.file.error("GMN412", words, filled.at)
        return {"action": u.called, "weights": weights.tolist()}

    def _policy(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in ("\u03b3", "gamma"):  # as a Greek letter too
            value = self.file.values.get(name)
            if value is not None and value.array is not None and value.array.size == 1:
                self.used.add(name)
                made["gamma"] = float(value.array.reshape(-1)[0])
        horizon = next((self._setting(k, 0) for k in _PLANNING if k in self.file.settings), None)
        if horizon is not None:
            made["horizon"] = horizon
        for key, name in _POLICY.items():
            if name in self.file.settings:
                made[key] = self._setting(name, "")
        steps = self.file.settings.get("ModelTimeHorizon", "")
        if horizon is None and number(steps) is not None:
            words = f"ModelTimeHorizon={steps} is how long a run lasts; plans look 1 step ahead"
            self.notes.append(finding("GMN810", words))
        return made

    def _labels(self, member: Member) -> tuple[str, ...]:
        return self.cast.labels(member) or tuple(map(str, range(member.size)))

    def _variable(self, section: str, index: int, member: Member) -> dict[str, Any]:
        if member.at is not None:
            self.offsets[f"/{section}/{index}"] = member.at
        labels = self.cast.labels(member)
        said: dict[str, Any] = {"labels": list(labels)} if labels else {"size": member.size}
        return {"name": member.called, **said}

    def _say_what_is_left(self, acting: Sequence[Member]) -> None:
        """Values that no part of the document is made of, and actions that move nothing."""
        left = [name for name in self.file.values if name not in self.used]
        tables = [n for n in left if (role := roles(n)) and role[0] in ("A", "B", "D") and role[1]]
        if tables:
            words = f"{', '.join(tables[:12])}: numbers of no variable; a table is called like its"
            words += " variable, as B_loc of s_loc, and B has all actions in one table"
            place = self.file.places.at(self.file.values[tables[0]].at)
            self.errors.append(finding("GMN105", words, place=place, got=tables[0]))
        elif left:
            words = f"{', '.join(left[:12])} of InitialParameterization ignored"
            place = self.file.places.at(self.file.values[left[0]].at)
            self.notes.append(finding("GMN803", words, place=place))
        known = {*self.file.variables, *self.file.values, *_COMPUTED}
        ends = dict.fromkeys(x for link in self.file.links for side in link for x in side)
        if unknown := [name for name in ends if name not in known and not name.isdecimal()]:
            words = f"Connections name {', '.join(unknown[:12])}, which nothing declares: ignored"
            self.notes.append(finding("GMN803", words))
        for member in (*self.cast.states, *self.cast.observations):
            declared = self.file.variables.get(member.name)
            if declared is not None and None in declared.dims:
                words = f"a side of {member.name} is not a number that can be read: its tables say"
                words += f" that it has {member.size} values"
                place = self.file.places.at(declared.at)
                self.notes.append(finding("GMN810", words, place=place))
        for u in self.cast.controls:
            if u not in acting and u.at is not None:
                words = f"{u.name} moves no state factor and is left out"
                self.notes.append(finding("GMN803", words, place=self.file.places.at(u.at)))
