"""Wrong twins of the curated models, and detailed sentences that those models fulfil."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config.paths import shipped
from orchestrator.gmn.acting.expectations import measure
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.request.fits import fits_of
from orchestrator.gmn.request.inferred import inferred_from
from orchestrator.gmn.validate import validate

CURATED = Path(__file__).parent / "curated.jsonl"
Tree = dict[str, Any]


@dataclass(frozen=True)
class Detailed:
    """A curated model with a sentence that says nearly all of it."""

    name: str
    sentence: str
    spec: GMNSpec


def detailed() -> list[Detailed]:
    """The twelve of them."""
    found = []
    for line in map(json.loads, CURATED.read_text("utf-8").splitlines()):
        path = shipped("prompts", "library", f"{line['name']}.gmn")
        spec = validate(path.read_bytes(), run_steps=0).spec
        assert spec is not None
        found.append(Detailed(line["name"], line["sentence"], spec))
    return found


def _variable(tree: Tree, name: str) -> Tree:
    every = (*tree["states"], *tree["observations"], *tree["actions"])
    return next(one for one in every if one["name"] == name)


def _labels(tree: Tree, name: str) -> list[str]:
    variable = _variable(tree, name)
    shape = variable["shape"]
    if len(shape) == 2:
        return [f"r{i}c{j}" for i in range(shape[0]) for j in range(shape[1])]
    return list(variable["labels"])


def _renamed(table: Tree, section: str, names: dict[str, str]) -> None:
    """Exchange labels in one part of a table: its outcomes, or a condition."""
    for rule in table["rules"]:
        if section == "then":
            for outcome in rule["then"]:
                outcome["value"] = names.get(outcome["value"], outcome["value"])
    if section == "then" and table["map"]:
        table["map"] = [names.get(label, label) for label in table["map"]]


def _turned_table(tree: Tree, conditional: Tree, order: Callable[[list[str]], list[str]]) -> None:
    """A likelihood or transition whose outcomes are exchanged."""
    labels, table = _labels(tree, conditional["of"]), conditional["table"]
    names = dict(zip(labels, order(labels), strict=True))
    if table["kind"] in ("rules", "map"):
        _renamed(table, "then", names)
    elif table["kind"] == "rows":
        at = [labels.index(names[label]) for label in labels]
        table["rows"] = [[row[i] for i in at] for row in table["rows"]]
    else:  # an identity: say it as a map
        table.update(kind="map", map=[names[label] for label in labels])


def _rolled(labels: list[str]) -> list[str]:
    return [*labels[1:], labels[0]]


def _transposed(tree: Tree) -> None:
    _turned_table(tree, tree["likelihoods"][0], _rolled)


def _cue_inverted(tree: Tree) -> None:
    hint = next(
        (
            one
            for one in tree["likelihoods"]
            if one["of"] in ("hint", "forecast", "signal", "words")
        ),
        tree["likelihoods"][0],
    )
    labels = _labels(tree, hint["of"])
    tail = labels[-2:]
    _turned_table(tree, hint, lambda names: [*names[:-2], *reversed(tail)])


def _flipped(tree: Tree) -> None:
    for one in tree["preferences"]:
        one["values"] = [-value for value in one["values"]]
        for goal in (*one["goals"], *one["goal_gradient"]):
            goal["utility"] = -goal["utility"]


def _goal_moved(tree: Tree) -> None:
    one = tree["preferences"][0]
    one["values"] = [*one["values"][1:], *one["values"][:1]]
    for goal in one["goal_gradient"]:
        goal["goal"] = "r1c2"


def _nothing_wanted(tree: Tree) -> None:
    tree["preferences"] = []


def _actions_swapped(tree: Tree) -> None:
    action = tree["actions"][0]
    one, other = (0, 1) if action["name"] in ("move", "go", "choice", "power") else (-2, -1)
    labels = action["labels"]
    names = {labels[one]: labels[other], labels[other]: labels[one]}
    for table in (t["table"] for t in tree["transitions"] if action["name"] in t["given"]):
        for rule in table["rules"]:
            for condition in rule["when"]:
                if condition["var"] == action["name"]:
                    condition["values"] = [names.get(v, v) for v in condition["values"]]
        for move in table["moves"]:
            move["action"] = names.get(move["action"], move["action"])
        if table["map"]:
            table["map"][one], table["map"][other] = table["map"][other], table["map"][one]


def _start_moved(tree: Tree) -> None:
    for prior in tree["priors"]:
        labels, table = _labels(tree, prior["of"]), prior["table"]
        if table["kind"] == "map":
            table["map"] = [labels[(labels.index(table["map"][0]) + 1) % len(labels)]]
            return
    prior = tree["priors"][0]
    prior["table"] = {**prior["table"], "kind": "map", "map": _labels(tree, prior["of"])[-1:]}


def _noise_changed(tree: Tree) -> None:
    for one in (*tree["likelihoods"], *tree["transitions"]):
        table = one["table"]
        if table["noise"]:
            table["noise"] = round(0.5 * table["noise"] + 0.22, 3)
        for rule in table["rules"]:
            if len(rule["then"]) == 2:
                more, less = rule["then"]
                more["p"], less["p"] = 0.63, 0.37
        table["rows"] = [[0.5 * p + 0.5 / len(row) for p in row] for row in table["rows"]]


def _state_lost(tree: Tree) -> None:
    """A label that the sentence names is called something else everywhere."""
    state = next((one for one in tree["states"] if one["labels"]), None)
    if state is None:
        tree["states"][0]["shape"] = [tree["states"][0]["shape"][0], 4]
        for section in ("observations",):
            tree[section][0]["shape"] = tree["states"][0]["shape"]
        tree["preferences"][0]["goal_gradient"][0]["goal"] = "r4c3"
        return
    lost = state["labels"][-1]
    text = json.dumps(tree).replace(json.dumps(lost), json.dumps("unheard_of"))
    tree.update(json.loads(text))


def _short_sighted(tree: Tree) -> None:
    policy = tree["policy"]
    policy["horizon"] = 1 if policy["horizon"] > 1 else 2


TWINS: tuple[Callable[[Tree], None], ...] = (
    _transposed, _cue_inverted, _flipped, _goal_moved, _nothing_wanted, _actions_swapped,
    _start_moved, _noise_changed, _state_lost, _short_sighted,
)  # fmt: skip


def twins(spec: GMNSpec) -> Iterator[tuple[str, GMNSpec]]:
    """The ten wrong twins of a model that are documents, each with its name."""
    for spoil in TWINS:
        tree: Tree = json.loads(json.dumps(spec.to_json()))
        spoil(tree)
        twin = GMNSpec.model_validate(tree)
        if twin != spec:
            yield spoil.__name__.strip("_"), twin


def is_caught(sentence: str, twin: GMNSpec) -> bool:
    """Whether a twin is refused: it is not valid, does not fit, or does not behave."""
    verdict = validate(twin, run_steps=1)
    if verdict.spec is None or verdict.compiled is None or not verdict.report.is_valid:
        return True
    if fits_of(sentence, verdict.spec, verdict.compiled).unmet:
        return True
    expected = inferred_from(sentence, verdict.spec)
    return not all(one.held for one in measure(verdict.compiled, expected, episodes=20))
