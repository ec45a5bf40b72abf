"""The canonical model: what a GMN document says, typed.

`GMNSpec` is the only in-memory form of a document. Every spelling is read into it and every
check, repair, compilation and explanation starts from it. Its JSON form is the one printed in
``schemas/gmn.schema.json``; omitted keys have the defaults written here.

Layout law: a table is a matrix of R = prod(|given|) rows and n = |of| columns. Row r is the r-th
context in C order of `given` (the first listed varies slowest) and each row is a distribution.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "1.0"
NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,47}"
LABEL_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,47}"

_DRAWN: tuple[DrawnPart, ...] = ("graph", "tables", "preferences")

#: Where the prompt of a query takes an input.
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")

TableKind = Literal["rows", "map", "identity", "uniform", "shift", "grid", "rules"]
Boundary = Literal["stay", "clamp", "wrap"]
NoiseKind = Literal["uniform", "others", "stay"]
Selection = Literal["deterministic", "stochastic", "contingent"]
Inference = Literal["auto", "exact", "mean_field"]
Trigger = Literal[
    "on_start", "on_observation", "on_uncertainty", "every_n_steps", "on_goal", "on_error"
]
Effect = Literal["observe", "set_preference", "set_prior", "suggest_action", "note"]
DrawnPart = Literal["graph", "tables", "preferences", "trace"]
VariableKind = Literal["state", "observation", "action"]


#: Normalisation form C, in which labels and names are compared and written: Unicode says that a
#: text and its NFC are the same one. What people read (descriptions, prompts) stays as it is.
nfc = partial(unicodedata.normalize, "NFC")
Label = Annotated[str, AfterValidator(nfc)]
Labels = Annotated[tuple[str, ...], AfterValidator(lambda labels: tuple(map(nfc, labels)))]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True, defer_build=True)


@lru_cache(maxsize=32)
def _numbered(shape: tuple[int, ...]) -> tuple[str, ...]:
    if len(shape) == 2:
        return tuple(f"r{i}c{j}" for i in range(shape[0]) for j in range(shape[1]))
    return tuple(map(str, range(shape[0])))


class Variable(_Part):
    """A state factor, an observation modality or an action factor.

    Attributes:
        labels: one name per value; empty means the default labels.
        size: number of values; 0 means "as many as there are labels".
        shape: sizes of a grid whose product is `size`; empty for a plain list of values.
        terminal: labels of a state at which everything ends: labels, globs or ranges.
    """

    name: Label
    description: str = ""
    labels: Labels = ()
    size: int = 0
    shape: tuple[int, ...] = ()
    terminal: Labels = ()

    @property
    def n(self) -> int:
        """Number of values: the size, else the number of labels, else the product of the shape."""
        if self.size:
            return self.size
        if self.labels:
            return len(self.labels)
        return math.prod(self.shape) if self.shape else 0

    @property
    def names(self) -> tuple[str, ...]:
        """One label per value: those given, else ``r{i}c{j}`` for a 2-D shape, else ``0..n-1``."""
        if self.labels:
            return self.labels
        return _numbered(self.shape if len(self.shape) == 2 else (self.n,))


class Move(_Part):
    """Where one action label leads, as a step along each axis of the shape."""

    action: Label
    delta: tuple[int, ...]


class Condition(_Part):
    """True when `var` has one of `values`: labels, ``*`` globs or ``n..m`` index ranges."""

    var: Label
    values: Labels


class Outcome(_Part):
    """Probability `p` for a label, a glob, ``@stay``, ``@+k``, ``@-k`` or ``@(d1,d2)``."""

    value: Label
    p: float


class Rule(_Part):
    """The first rule whose every condition holds gives the row; no condition means always."""

    when: tuple[Condition, ...] = ()
    then: tuple[Outcome, ...]


class Table(_Part):
    """A conditional probability table in compact form; `kind` says which fields count.

    Attributes:
        rows: one distribution per context (kind ``rows``).
        map: one label per context (kind ``map``).
        moves, boundary, blocked: steps, edge behaviour and walls (kinds ``shift`` and ``grid``,
            and relative outcomes of ``rules``).
        rules: ordered decision list (kind ``rules``).
        noise: probability in [0, 1] taken from the table after expansion.
        noise_kind: where the noise goes: over all values, over the others, or to staying.
    """

    kind: TableKind
    rows: tuple[tuple[float, ...], ...] = ()
    map: Labels = ()
    moves: tuple[Move, ...] = ()
    boundary: Boundary = "stay"
    blocked: Labels = ()
    rules: tuple[Rule, ...] = ()
    noise: float = 0.0
    noise_kind: NoiseKind = "uniform"


class Conditional(_Part):
    """P(of | given): a likelihood, a transition or, with nothing given, a prior.

    Attributes:
        learn: whether experience changes it, from `table` on.
        concentration: how many observations each row of `table` is worth, above 0: the row times
            it are the counts of a Dirichlet prior, as in pymdp's pA, pB and pD.
    """

    of: Label
    given: Labels = ()
    table: Table
    learn: bool = False
    concentration: float = 1.0


class Goal(_Part):
    """Utility in nats of one label (or glob) of the target."""

    value: Label
    utility: float


class Gradient(_Part):
    """Utility in nats that falls with the steps to the nearest label like `goal`.

    A label is worth `utility` times `decay` (in [0, 1]) to the power of its distance.
    """

    goal: Label
    utility: float
    decay: float


class Payoff(_Part):
    """Utility in nats of the first such rule whose every condition holds; 0 where none does."""

    when: tuple[Condition, ...] = ()
    utility: float


class Preference(_Part):
    """Log-preferences in nats over an observation, or utilities of states and actions.

    Attributes:
        on: an observation, a state or an action; `values` and `goals` are about its labels.
        given: further states and actions that `rules` ask for.
        goal_gradient: what is worth less the farther it is from a goal; see `gmn.gradient`.
        rules: ordered decision list over states and actions alone.
    """

    on: Label
    given: Labels = ()
    values: tuple[float, ...] = ()
    goals: tuple[Goal, ...] = ()
    goal_gradient: tuple[Gradient, ...] = ()
    rules: tuple[Payoff, ...] = ()
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable that it is about."""
        return (self.on, *self.given)


class Habit(_Part):
    """Unnormalised weights over the labels of one action."""

    action: Label
    weights: tuple[float, ...]


class Policy(_Part):
    """How actions are chosen.

    Attributes:
        horizon: steps looked ahead, at least 1.
        gamma: precision over policies, above 0.
        selection: the best action, a sample of the posterior, or the best action of a plan that
            branches on what will be observed.
        info_gain: whether expected information gain about states counts.
        discount: what a nat is worth one step later, in (0, 1].
        inference: exact, by mean field, or exact wherever the joint of what meets is small.
    """

    horizon: int = 1
    gamma: float = 8.0
    selection: Selection = "deterministic"
    info_gain: bool = True
    discount: float = 1.0
    inference: Inference = "auto"


class Query(_Part):
    """A question the running agent puts to a language model; see the language definition."""

    name: str
    trigger: Trigger
    trigger_value: float = 0.0
    inputs: Labels = ()
    prompt: str
    effect: Effect
    target: Label = ""


class Entry(_Part):
    """One line of metadata."""

    key: str
    value: str


class GMNSpec(_Part):
    """A whole document. Equal specs mean the same model; nothing here is checked beyond types."""

    gmn: str = VERSION
    name: str = "agent"
    description: str = ""
    agent_type: str = "general"
    states: tuple[Variable, ...] = ()
    observations: tuple[Variable, ...] = ()
    actions: tuple[Variable, ...] = ()
    likelihoods: tuple[Conditional, ...] = ()
    transitions: tuple[Conditional, ...] = ()
    priors: tuple[Conditional, ...] = ()
    preferences: tuple[Preference, ...] = ()
    habits: tuple[Habit, ...] = ()
    policy: Policy = Policy.model_construct()  # as `Policy()`, which would build its validator now
    queries: tuple[Query, ...] = ()
    metadata: tuple[Entry, ...] = ()

    def variables(self) -> Iterator[tuple[VariableKind, Variable]]:
        """Every variable with its kind, in declaration order: states, observations, actions."""
        yield from (("state", v) for v in self.states)
        yield from (("observation", v) for v in self.observations)
        yield from (("action", v) for v in self.actions)

    def variable(self, name: str) -> Variable | None:
        """The variable of that name, None when there is none."""
        for section in (self.states, self.observations, self.actions):
            for variable in section:
                if variable.name == name:
                    return variable
        return None

    def meta(self, key: str) -> str:
        """The metadata value under `key`, empty when there is none."""
        return next((entry.value for entry in self.metadata if entry.key == key), "")

    def fingerprint(self) -> str:
        """SHA-256 of the canonical form, the same for every spelling and in every process."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        """The canonical ("fat") JSON form: every key present."""
        return self.model_dump(mode="json")

    def to_svg(self, *parts: DrawnPart) -> str:
        """The model as a picture: graph, tables and preferences, or only the `parts` named."""
        # By name, as in `to_pymdp`.
        drawn: str = import_module("orchestrator.gmn.draw.notebook").svg_of(self, parts or _DRAWN)
        return drawn

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_html_(self) -> str:
        return self.to_svg()

    def to_pymdp(self) -> Any:
        """A ready ``pymdp.agent.Agent`` of the model, batch size 1; needs the extra ``pymdp``.

        Raises:
            MissingExtraError: pymdp is not installed.
            GMNError: the document does not compile, or says what pymdp cannot express.
        """
        # By name: what compiles a document lies above what a document is.
        return import_module("orchestrator.gmn.pymdp").agent_of(self)
