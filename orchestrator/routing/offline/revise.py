"""Revisions: a JSON Patch on the name-keyed view that honours the feedback where it can."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from orchestrator.gmn.request.read import read
from orchestrator.parsing.spelling import nearest
from orchestrator.routing.offline.draft import Draft, slug
from orchestrator.routing.offline.grid import cell_at, cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.types.diagnostics import PatchOperation

View = dict[str, Any]
#: How much more a cautious agent weighs what is disliked.
CAUTION = 1.5
_WEIGHED = ("goals", "goal_gradient", "rules")


def revise(document: str, wish: str) -> str:
    """A JSON Patch of `document`, name-keyed JSON text, that does what `wish` says.

    What cannot be done is added to the document's assumptions.
    """
    view = json.loads(document)
    operations: list[PatchOperation] = []
    wording = Draft(read(wish), {})
    for way in _WAYS:
        operations += way(view, wording)
    if not operations:
        operations = _assumption(
            view, f"could not be done by the embedded provider: {_short(wish)}"
        )
    return json.dumps(operations, ensure_ascii=False)


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:200]


def _assumption(view: View, words: str) -> list[PatchOperation]:
    metadata = view.get("metadata", {})
    if not isinstance(metadata, dict):
        return [{"op": "add", "path": "/metadata", "value": words}]
    before = metadata.get("assumptions", "")
    text = f"{before}; {words}" if before else words
    if "metadata" not in view:
        return [{"op": "add", "path": "/metadata", "value": {"assumptions": text}}]
    return [{"op": "add", "path": "/metadata/assumptions", "value": text}]


def _horizon(view: View, wording: Draft) -> Iterator[PatchOperation]:
    now = int(view.get("policy", {}).get("horizon", 1))
    said = wording.number("horizon")
    wanted = int(said) if said else None
    if wanted is None and re.search(
        r"\b(?:further|farther) ahead\b|GMN503|GMN906", wording.reading.text, re.I
    ):
        wanted = now + 1
    if wanted is None or wanted == now:
        return
    per_step = 1
    for action in view.get("actions", {}).values():
        per_step *= len(action.get("labels", [])) or int(action.get("size", 1)) or 1
    while wanted > 1 and (per_step**wanted > 4096 or wanted > 8):
        wanted -= 1
    if wanted != now:
        yield {"op": "add", "path": "/policy/horizon", "value": wanted}


def _temper(view: View, wording: Draft) -> Iterator[PatchOperation]:
    temper = {one.value for one in wording.of("temper")}
    if "cautious" in temper or "curious" in temper:
        yield {"op": "add", "path": "/policy/info_gain", "value": True}
        cautious = (1.0, CAUTION) if _dislikes(view) else (1 / CAUTION, 1.0)
        liked, disliked = cautious if "cautious" in temper else (0.5, 0.5)
        yield from _weighed(view, liked, disliked)
    elif temper & {"greedy", "bold"}:
        yield {"op": "add", "path": "/policy/info_gain", "value": False}


def _dislikes(view: View) -> bool:
    """Whether anything has a utility below 0; else caution can only want less."""
    return any(
        float(utility) < 0
        for preference in view.get("preferences", {}).values()
        for utility in (
            *preference.get("values", []),
            *(one["utility"] for key in _WEIGHED for one in preference.get(key, [])),
        )
    )


def _weighed(view: View, liked: float, disliked: float) -> Iterator[PatchOperation]:
    """Utilities above and below 0, multiplied."""

    def times(utility: float) -> float:
        return round(utility * (disliked if utility < 0 else liked), 6)

    for name, preference in view.get("preferences", {}).items():
        path = f"/preferences/{name}"
        for key, utility in (("values", None), *((key, "utility") for key in _WEIGHED)):
            said = preference.get(key, [])
            changed = [
                {**one, utility: times(float(one[utility]))} if utility else times(float(one))
                for one in said
            ]
            if changed != said:
                yield {"op": "replace", "path": f"{path}/{key}", "value": changed}


def _noise(view: View, wording: Draft) -> Iterator[PatchOperation]:
    less = re.search(
        r"\bless nois|\blower noise|\breduce (?:the )?noise", wording.reading.text, re.I
    )
    more = re.search(r"\bmore nois|\bhigher noise", wording.reading.text, re.I)
    noise = wording.number("noise")
    if noise is None and not less and not more:
        return
    for name, entry in view.get("likelihoods", {}).items():
        now = entry.get("table", {}).get("noise", 0.0)
        if now or (noise and entry.get("table", {}).get("kind") == "identity"):
            changed = now / 2 if less else min(2 * now, 0.5) if more else noise
            yield {"op": "add", "path": f"/likelihoods/{name}/table/noise", "value": changed}


def _goal(view: View, wording: Draft) -> Iterator[PatchOperation]:
    said = wording.first("goal")
    if said is None:
        return
    for name, preference in view.get("preferences", {}).items():
        variable = _variable(view, str(preference.get("on", name)))
        label = _label(variable, str(said.value))
        if label is not None and not preference.get("rules"):
            utility = max([3.0, *map(float, preference.get("values", []))])
            changed: View = {"on": preference.get("on", name)}
            if gradients := preference.get("goal_gradient"):
                changed["goal_gradient"] = [{**gradients[0], "goal": label}]
            else:
                changed["goals"] = [{"value": label, "utility": utility}]
            yield {"op": "replace", "path": f"/preferences/{name}", "value": changed}
            return


def _start(view: View, wording: Draft) -> Iterator[PatchOperation]:
    said = wording.first("start")
    if said is None:
        return
    for name in view.get("states", {}):
        label = _label(_variable(view, name), str(said.value))
        if label is not None:
            prior = {"of": name, "table": {"kind": "map", "map": [label]}}
            yield {"op": "add", "path": f"/priors/{name}", "value": prior}
            return


def _memory(view: View, wording: Draft) -> Iterator[PatchOperation]:
    """A factor that remembers for good whether a telling value was reached, and is seen itself."""
    taken = {*view.get("states", {}), *view.get("observations", {})}
    if (
        not re.search(r"\bmemor|\bremember", wording.reading.text, re.I)
        or "memory" in taken
        or "recall" in taken
    ):
        return
    state = next(iter(view.get("states", {})), None)
    if state is None:
        return
    labels = _names(_variable(view, state))
    label = labels[-1]
    for preference in view.get("preferences", {}).values():
        values = preference.get("values", [])
        if len(values) == len(labels):
            label = labels[max(range(len(values)), key=values.__getitem__)]
        elif goals := preference.get("goal_gradient") or preference.get("goals"):
            label = str(goals[0].get("goal") or goals[0].get("value"))
    label = label if label in labels else labels[-1]
    seen = [{"value": "seen", "p": 1}]
    rules = [
        {"when": [{"var": "memory", "values": ["seen"]}], "then": seen},
        {"when": [{"var": state, "values": [label]}], "then": seen},
        {"then": [{"value": "not_yet", "p": 1}]},
    ]
    recall = {"of": "recall", "given": ["memory"], "table": {"kind": "identity"}}
    moved = {"of": "memory", "given": [state, "memory"], "table": {"kind": "rules", "rules": rules}}
    start = {"of": "memory", "table": {"kind": "map", "map": ["not_yet"]}}
    values = ["not_yet", "seen"]
    words = f"whether {state} has been {label}"
    yield {"op": "add", "path": "/states/memory",
           "value": {"name": "memory", "description": words, "labels": values}}  # fmt: skip
    seen_as = {"name": "recall", "labels": values}
    yield {"op": "add", "path": "/observations/recall", "value": seen_as}
    yield {"op": "add", "path": "/likelihoods/recall", "value": recall}
    yield {"op": "add", "path": "/transitions/memory", "value": moved}
    yield {"op": "add", "path": "/priors/memory", "value": start}
    yield from _assumption(view, f"memory: {words}")


def _rename(view: View, wording: Draft) -> Iterator[PatchOperation]:
    match = re.search(
        r"\b(?:call it|rename (?:it|the agent) (?:to )?)\s*([A-Za-z]\w*)",
        wording.reading.text,
        re.I,
    )
    if match:
        yield {"op": "add", "path": "/name", "value": slug(match[1])}


def _variable(view: View, name: str) -> View:
    for section in ("states", "observations", "actions"):
        found = view.get(section, {}).get(name)
        if isinstance(found, dict):
            return found
    return {}


def _names(variable: View) -> list[str]:
    labels, shape = variable.get("labels") or [], variable.get("shape") or []
    if labels:
        return [str(label) for label in labels]
    if len(shape) == 2:
        return cells(*shape)
    return [str(i) for i in range(int(variable.get("size", 0)))]


def _label(variable: View, word: str) -> str | None:
    shape = variable.get("shape") or []
    if len(shape) == 2 and (cell := cell_at(word, *shape)):
        return cell
    names = _names(variable)
    return nearest(slug(word), names) or nearest(slug(word).split("_")[0], names)


_WAYS: tuple[Callable[[View, Draft], Iterator[PatchOperation]], ...] = (
    _horizon, _temper, _noise, _goal, _start, _memory, _rename,
)  # fmt: skip
