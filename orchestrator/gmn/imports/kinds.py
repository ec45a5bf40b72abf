"""The kinds of documents that are read, in one table: signs of each, and its reader."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.gmn.imports.imported import Imported

    Data = Mapping[str, object]

_TEXT = pattern(
    r"^[ \t]*+(?:gmn[ \t]++\d\S*+[ \t]*+$|agent[ \t]++[^\s{]++[ \t]*+\{"
    r"|node[ \t]++\w++[ \t]++[^\s{]++[ \t]*+\{)",
    re.MULTILINE,
)
_SECTION = pattern(r"^[ \t]*+\[nodes\][ \t]*+(?:#.*+)?$", re.MULTILINE | re.IGNORECASE)
#: How flat POMDP JSON calls its states.
STATE_KEYS = ("states", "hidden_states", "state_names", "state_labels")
_OWN = ("gmn", "likelihoods", "transitions", "priors", "queries")
#: How tables are called in JSON that people write by hand.
TABLE_KEYS: Mapping[str, Sequence[str]] = {
    "A": (
        "A", "A_matrix", "likelihood", "likelihoods", "observation_model", "emission",
        "observation_matrix", "observation_probabilities", "likelihood_matrix", "emissions",
    ),
    "B": (
        "B", "B_matrix", "transition", "transitions", "transition_model", "transition_matrix",
        "dynamics", "transition_probabilities", "transition_matrices",
    ),
    "C": (
        "C", "C_vector", "preference", "preferences", "prior_preferences", "log_preferences",
        "utility", "utilities", "rewards",
    ),
    "D": (
        "D", "D_vector", "prior", "priors", "initial", "initial_state", "initial_belief",
        "initial_distribution", "initial_state_distribution", "start",
    ),
}  # fmt: skip


_GNN = pattern(
    r"^[ \t]*+#{1,2}[ \t]*+(?:GNN\w++|StateSpaceBlock|InitialParameterization)[ \t]*+$",
    re.MULTILINE | re.IGNORECASE,
)
_POMDP = pattern(r"^(states|actions|[TOR])[ \t]*+:[^\n]*+", re.MULTILINE)


class Kind(NamedTuple):
    """One kind of document.

    Attributes:
        name: what ``--as`` and a validation's `spelling` call it.
        title: what a person calls it.
        module: the file in this room with ``read(text) -> Imported``, and for JSON also
            ``read_data(object) -> Imported``; empty for the language's own two forms.
        in_text: why a text is of this kind, as a phrase; empty where nothing says so.
        in_data: the same of a JSON object.
        is_whole: whether it is a file of its own, with neither prose nor a fence around it.
    """

    name: str
    title: str
    module: str = ""
    in_text: Callable[[str], str] | None = None
    in_data: Callable[[Data], str] | None = None
    is_whole: bool = False

    def read(self, text: str) -> Imported:
        """Read a text of this kind; its module is imported only here."""
        return cast("Imported", import_module(f"{__package__}.{self.module}").read(text))

    def read_data(self, data: Data) -> Imported:
        """Read a JSON object of this kind."""
        return cast("Imported", import_module(f"{__package__}.{self.module}").read_data(data))


def _line(found: re.Pattern[str], text: str) -> str:
    match = found.search(text)
    if match is None:
        return ""
    return f"line {text.count(chr(10), 0, match.start()) + 1} is {match[0].strip()[:40]!r}"


def _pomdp(text: str) -> str:
    """Lines of both variables and of a table; block text may have such lines between braces."""
    found = {match[1]: match for match in _POMDP.finditer(text)}
    tables = [found[key] for key in "TOR" if key in found]
    if not tables or "states" not in found or "actions" not in found or _TEXT.search(text):
        return ""
    return f"line {text.count(chr(10), 0, tables[0].start()) + 1} is {tables[0][0].strip()[:40]!r}"


def _objects(value: object) -> bool:
    """Whether it is a list of objects, or objects by name."""
    items = [*value.values()] if isinstance(value, dict) else value
    return isinstance(items, list) and bool(items) and all(isinstance(i, dict) for i in items)


def is_labels(value: object) -> bool:
    """Whether it is a list of names."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, str | int) for v in value)


def _is_own(data: Data, key: str) -> bool:
    """Whether a key is the language's own: its tables are objects, those of others are numbers."""
    if key == "gmn" or key not in data:
        return key in data
    value = data[key]
    others = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(others, list):
        return True
    if not others or not all(isinstance(one, dict) for one in others):
        return not is_labels(data.get("states")) and not any(isinstance(v, list) for v in others)
    return not is_labels(data.get("states")) or any({"of", "table"} & set(one) for one in others)


def _json(data: Data) -> str:
    keys = [key for key in _OWN if _is_own(data, key)]
    keys += [key for key in ("states", "observations") if _objects(data.get(key))]
    return f"it has {keys[0]!r}" if keys else ""


def _graph(data: Data) -> str:
    return "it has a list of 'nodes'" if _objects(data.get("nodes")) else ""


def _bundle(data: Data) -> str:
    return "it has 'bundle'" if "bundle" in data and "model" in data else ""


def _flat(data: Data) -> str:
    states = next((data[key] for key in STATE_KEYS if key in data), None)
    if any(_is_own(data, key) for key in _OWN):
        return ""
    if is_labels(states):
        return "'states' is a list of names"
    by_name = [*states.values()] if isinstance(states, dict) else []
    if by_name and all(map(is_labels, by_name)) and not {"A", "B"} & set(data):
        return "'states' is lists of names"
    return "'states' is a number" if isinstance(states, int) else ""


def _arrays(data: Data) -> str:
    if _flat(data) or _json(data):
        return ""
    known = (key for of in "AB" for key in TABLE_KEYS[of] if isinstance(data.get(key), list | dict))
    key = next((key for key in known if key in ("A", "B") or _is_array(data[key])), "")
    return f"it has an array {key!r}" if key else ""


def _is_array(value: object) -> bool:
    """Whether it is lists of lists, with a number first."""
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth > 1 and isinstance(value, int | float)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("text", "GMN text", in_text=lambda text: _line(_TEXT, text)),
        Kind("json", "GMN JSON", in_data=_json),
        Kind(
            "sections",
            "sections [nodes] and [edges]",
            "sections",
            in_text=lambda text: _line(_SECTION, text),
        ),
        Kind("graph", "a graph of nodes and edges in JSON", "graph", in_data=_graph),
        Kind("flat_pomdp", "flat POMDP JSON", "flat_pomdp", in_data=_flat),
        Kind("arrays", "arrays as pymdp takes them", "arrays", in_data=_arrays),
        Kind(
            "gnn",
            "Generalized Notation Notation",
            "gnn",
            in_text=lambda text: _line(_GNN, text),
            is_whole=True,
        ),
        Kind("bundle", "a model with one episode of it", "bundle", in_data=_bundle),
        Kind("pomdp", "a .POMDP file", "cassandra", in_text=_pomdp, is_whole=True),
    )
}
