"""What the names of a GNN file mean: states, observations, actions, and the tables of each."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.imports.printed import number
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.imports.gnn_text import GNNFile

_ROLE = pattern(r"(dirichlet_[ABD]|p[ABD]|pi|π|[ABCDEsoua])(?:_(.++)|([0-9]++)|)")
_CONTINUOUS = ("F", "H", "Q", "R", "prior_mean", "prior_cov")
_NEXT = ("prime", "next", "prev", "t+1", "t1")
_MANY = {"s": ("state_labels", "hidden_state_labels"), "o": ("observation_labels", "obs_labels"),
         "u": ("action_labels", "control_labels")}  # fmt: skip


@dataclass(slots=True, eq=False)
class Member:
    """A state factor, an observation modality or an action.

    Attributes:
        name: as the file calls it; `called` is what the document calls it.
        suffix: what its tables have in their names too.
        size: number of its values, 0 until it is known.
        at: where it is declared.
    """

    name: str
    suffix: str
    size: int
    called: str
    at: int | None = None

    def of(self, role: str) -> str:
        """The name of a table of it."""
        joint = "" if self.suffix[:1].isdigit() or not self.suffix else "_"
        return f"{role}{joint}{self.suffix}"


@dataclass(slots=True)
class Cast:
    """The variables of a file by their roles."""

    file: GNNFile
    states: list[Member] = field(init=False)
    observations: list[Member] = field(init=False)
    controls: list[Member] = field(init=False)

    def __post_init__(self) -> None:
        self.states = self._members("s", "BD")
        self.observations = self._members("o", "AC")
        self.controls = self._members("u", "") or self._members("a", "")
        for role, members in (("s", self.states), ("o", self.observations)):
            if not members:
                what = "state factor" if role == "s" else "observation"
                code = "GMN101" if role == "s" else "GMN102"
                raise self.file.error(code, f"no {what} {role}[…] is declared")
        most = HARD_LIMITS
        for members, bound in (
            (self.states, most.states),
            (self.observations, most.observations),
            (self.controls, most.actions),
        ):
            if len(members) > bound:
                words = f"{len(members)} variables like {members[0].name}, more than {bound}"
                raise self.file.error("GMN708", words, members[bound].at)
        for s in self.states:
            s.size = s.size or self._size(self.table("D", s)) or self._size(self.table("B", s))
            if not s.size:
                raise self.file.error("GMN302", f"the size of {s.name} is not a number", s.at)
        for o in self.observations:
            o.size = o.size or self._size(self.table("A", o))

    def _members(self, role: str, tables: str) -> list[Member]:
        """The variables of a role; where none is declared, those that tables stand for."""
        found: dict[str, Member] = {}
        for name, declared in self.file.variables.items():
            parts = roles(name)
            if parts is not None and parts[0] == role and not is_next(name, parts[1]):
                size = math.prod(n or 0 for n in declared.dims)
                is_choice = role in "ua" and size == 1
                found[parts[1]] = self._member(name, parts[1], 0 if is_choice else size)
                found[parts[1]].at = declared.at
        if found:
            return list(found.values())
        for name in (*self.file.values, *self.file.variables):
            parts = roles(name)
            if parts is not None and parts[0] in tuple(tables):
                meant = Member("", parts[1], 0, "").of(role)
                found.setdefault(parts[1], self._member(meant, parts[1], 0))
        return list(found.values())

    def _member(self, name: str, suffix: str, size: int) -> Member:
        called = _unquoted(self.file.settings.get(f"{name}_name", name))
        return Member(name, suffix, size, called)

    def _size(self, name: str) -> int:
        """The first side of a table."""
        value, declared = self.file.values.get(name), self.file.variables.get(name)
        if declared is not None and declared.dims and declared.dims[0]:
            return declared.dims[0]
        if value is None or value.array is None:
            return 0
        return value.array.size if name[0] in "CDE" else value.array.shape[0]

    def table(self, role: str, member: Member) -> str:
        """The name of the table of a variable: by its suffix, or the only one there is."""
        name = member.of(role)
        known = self._named(role)
        if name in known or len(known) != 1:
            return name
        kinds = {"A": self.observations, "B": self.states, "C": self.observations,
                 "D": self.states, "E": self.controls}  # fmt: skip
        return known[0] if len(kinds[role]) == 1 else name

    def alone(self, role: str) -> str:
        """The only table of a role; empty where there are several, or none."""
        known = self._named(role)
        return known[0] if len(known) == 1 else ""

    def _named(self, role: str) -> list[str]:
        every = dict.fromkeys((*self.file.values, *self.file.variables))
        return [name for name in every if (parts := roles(name)) and parts[0] == role]

    def linked(self, name: str, among: Sequence[Member]) -> list[Member]:
        """Those that Connections link to a table, in the order of their links."""
        by_name = {member.name: member for member in among}
        found: dict[str, Member] = {}
        for one, other in self.file.links:
            near = [*(one if name in other else ()), *(other if name in one else ())]
            found |= {x: by_name[x] for x in near if x in by_name and x not in found}
        return list(found.values())

    def actions_in(self, s: Member) -> int:
        """How many actions a factor has, where the file says it beside B; else 0."""
        for u in self.controls:
            if u.size and (u.suffix == s.suffix or len(self.controls) == 1):
                return u.size
        suffixes = {s.suffix} | ({""} if len(self.controls) <= 1 else set())
        for name, declared in self.file.variables.items():
            parts = roles(name)
            if parts and parts[0] in ("pi", "π", "E") and parts[1] in suffixes and declared.dims:
                return declared.dims[0] or 0
        said = self.file.settings.get("num_actions", "")
        return int(said) if said.isascii() and said.isdecimal() and len(said) < 9 else 0

    def new_control(self, s: Member) -> Member:
        """The action of a factor, of which the file has no name."""
        suffix = s.suffix if len(self.states) > 1 else ""
        name = Member("", suffix, 0, "").of("u")
        made = self._member(name, suffix, 0)
        self.controls.append(made)
        return made

    def labelled(self, member: Member) -> bool:
        """Whether the file has labels of a variable of its own."""
        return f"{member.name}_labels" in self.file.settings

    def labels(self, member: Member) -> tuple[str, ...]:
        """Labels of a variable; none where the file has none.

        Raises: UnreadError: they are not as many as its values (302).
        """
        role = "u" if member in self.controls else "o" if member in self.observations else "s"
        keys = [f"{member.name}_labels"]
        if len({"s": self.states, "o": self.observations, "u": self.controls}[role]) == 1:
            keys += _MANY[role]
        said = next((self.file.settings[key] for key in keys if key in self.file.settings), "")
        labels = _listed(said)
        if labels and len(labels) != member.size:
            words = f"{len(labels)} labels for the {member.size} values of {member.name}"
            raise self.file.error("GMN302", words, member.at)
        return labels


def roles(name: str) -> tuple[str, str] | None:
    """The role and the suffix of a name; None when it has none."""
    found = _ROLE.fullmatch(name)
    if found is None:
        return None
    suffix = found[2] or found[3] or ""
    return found[1], "" if suffix == "t" else suffix


def is_next(name: str, suffix: str) -> bool:
    """Whether a name means the next or the previous value of another."""
    parts = suffix.split("_")
    return "'" in name or suffix == "t_plus_1" or any(word in parts for word in _NEXT)


def require_discrete(file: GNNFile) -> None:
    """Refuse a model of another class, and one without numbers.

    Raises: UnreadError: it is continuous, hierarchical or of several agents (802), or it has no
        numbers (806).
    """
    lines = {line.strip().lower() for line in file.prose.get("Time", "").splitlines()}
    given = [name for name in _CONTINUOUS if file.values.get(name) is not None]
    has_a = any(name == "A" or name.startswith(("A_", "A0", "A1")) for name in file.values)
    if "continuous" in lines or "ContinuousTime" in file.settings or (given and not has_a):
        at = file.values[given[0]].at if given else None
        raise file.error(
            "GMN802", "a model in continuous states or time; only discrete ones run", at
        )
    for name, declared in file.variables.items():
        role = roles(name)
        if role and role[0] in "sou" and declared.type.lower() == "continuous":
            words = f"{name} is declared as continuous; only discrete models run"
            raise file.error("GMN802", words, declared.at)
    for key, what in (("num_agents", "agents"), ("num_levels", "levels")):
        count = number(file.settings.get(key, "1"))
        if count is not None and count[0] > 1:
            words = f"{key}: {count[0]:g}; write a file for each of its {what}"
            raise file.error("GMN802", words)
    for name in itertools.chain(file.values, file.variables):
        if "_level" in name or "_agent" in name:
            raise file.error("GMN802", f"{name} belongs to one of several levels or agents", None)
    if not file.values and not any(v.default for v in file.variables.values()):
        words = "no section InitialParameterization gives numbers: there is no model to run"
        raise file.error("GMN806", words)


def _unquoted(word: str) -> str:
    return word.strip().strip("\"'")


def _listed(said: str) -> tuple[str, ...]:
    """A list of labels as JSON, or as words between commas."""
    try:
        found = json.loads(said)
        if isinstance(found, list):
            return tuple(map(str, found))
    except (ValueError, RecursionError):
        pass
    words = said.strip().removeprefix("[").removesuffix("]").split(",")
    return tuple(_unquoted(word) for word in words if word.strip())
