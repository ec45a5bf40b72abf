"""Fills the generated parts of docs/gmn.md: `python -m tests.support.gmn_page` rewrites the page.

What stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is made of the code's own
tables; the prose around it is written by hand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.codes import CATALOGUE, Code
from orchestrator.gmn.formats import block_nodes, coercion
from orchestrator.gmn.formats.blocktext import TYPE_ALIASES
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.rules import context_labels
from orchestrator.gmn.tables import expand
from orchestrator.gmn.validate import Validation, validate
from orchestrator.gmn.words.code_examples import CodeExample, base, code_examples, whole
from orchestrator.types.diagnostics import Diagnostic

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gmn.md"
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

NODES = {
    "state": "a hidden state of the world, that the agent has beliefs about",
    "observation": "what it senses",
    "action": "what it can do",
    "emission": "P(observation given states): the likelihood, A",
    "transition": "P(next state given states and actions), B",
    "belief": "P(state) at the start: the prior, D",
    "preference": "what it wants: utilities in nats, C",
    "policy": "how far it looks and how it chooses; habits, E",
    "llm_query": "a question that the running agent puts to a language model",
}

#: Of each kind of node: what is written, what it is in JSON, its values, and what it says.
PROPERTIES: dict[str, dict[str, tuple[str, str, str]]] = {
    "agent": {
        "type": ("agent_type", "a word", "`explorer`, `trader`, `coordinator` or `general`"),
        "description": ("description", "a text", "for people"),
        "metadata": ("metadata", "`{key: text}`", "for programs; kept as it is"),
    },
    "state, observation, action": {
        "labels": ("labels", "`[label, …]`", "one name for each value; `0`, `1`, … where left out"),
        "size": ("size", "a number", "how many values, where there are no labels"),
        "shape": ("shape", "`[rows, columns]`", "a grid; its values are `r0c0`, `r0c1`, …"),
        "terminal": ("terminal", "`[label, …]`", "of a state: where everything ends"),
        "initial": ("priors", "a label, a row or `{…}`", "of a state: its belief, written here"),
        "description": ("description", "a text", "for people"),
    },
    "emission, transition, belief": {
        "from": ("given", "`[name, …]`", "the parents, the first varies slowest"),
        "to": ("of", "a name", "what the table is about; `about` in a belief"),
        "rows": ("table.rows", "`[[p, …], …]`", "one distribution for each context"),
        "map": ("table.map", "`[label, …]`", "one label for each context"),
        "identity": ("table.kind", "alone", "the value of the parent"),
        "uniform": ("table.kind", "alone", "every value equally likely"),
        "shift": ("table.kind", "alone, with `moves`", "steps along a line"),
        "grid": ("table.kind", "alone, with `moves`", "steps on a grid"),
        "rules": ("table.rules", "`[{when, then}, …]`", "the first rule that applies decides"),
        "moves": ("table.moves", "`{action: [step, …]}`", "of `shift` and `grid`"),
        "boundary": ("table.boundary", "`stay`, `clamp`, `wrap`", "at the edge, else `stay`"),
        "blocked": ("table.blocked", "`[label, …]`", "walls, which no step enters"),
        "noise": ("table.noise", "a probability", "how often something else happens"),
        "noise_kind": ("table.noise_kind", "`uniform`, `others`, `stay`", "what happens then"),
        "kind": ("table.kind", "a kind", "in JSON always; in text the kind stands alone"),
        "noisy_identity": ("table", "a probability", "identity; the others share the rest"),
        "stay": ("table", "alone", "identity"),
        "sparse": ("table", "`[[parents…, label, p], …]`", "rules, one for each entry"),
        "learn": ("learn", "`true`", "experience changes the table"),
        "concentration": ("concentration", "a number", "how many observations a row is worth"),
        "description": ("", "a text", "for people; not kept"),
    },
    "preference": {
        "on": ("on, given", "a name or `[name, …]`", "what it is about"),
        "given": ("given", "`[name, …]`", "more names to be about, as in `on`"),
        "goals": ("goals", "`{label: nats}`", "utilities of these labels, 0 of all others"),
        "values": ("values", "`[nats, …]`", "one utility for each label"),
        "goal_gradient": ("goal_gradient", "`{goal, utility, decay}`",
                          "utility times decay to the power of the steps to the goal: of a state,"
                          " or of an observation that is the `identity` of one"),
        "rules": ("rules", "`[{when, utility}, …]`", "utilities of states and actions together"),
        "preferred_observation": ("goals", "a label", "a goal"),
        "preference_strength": ("goals", "nats", "its utility, 1 if left out"),
        "reason": ("reason", "a text", "for people"),
    },
    "policy": {
        "horizon": ("policy.horizon", "1 to 8", "steps looked ahead; 1 if left out"),
        "gamma": ("policy.gamma", "above 0", "how sharply plans are chosen; 8 if left out"),
        "selection": ("policy.selection", "`deterministic`, `stochastic`, `contingent`",
                      "the best plan, a sample, or plans that branch"),
        "info_gain": ("policy.info_gain", "`true`, `false`", "whether information counts"),
        "discount": ("policy.discount", "above 0, at most 1", "what a nat is worth a step later"),
        "inference": ("policy.inference", "`auto`, `exact`, `mean_field`", "how beliefs are found"),
        "habit": ("habits", "`{action: [weight, …]}`", "how likely each label is beforehand"),
        "description": ("", "a text", "for people; not kept"),
    },
    "llm_query": {
        "trigger": ("trigger", "`on_start`, `on_observation`, `on_uncertainty`, `every_n_steps`,"
                    " `on_goal`, `on_error`", "when it is asked"),
        "trigger_value": ("trigger_value", "a number", "the uncertainty, or the n of the trigger"),
        "inputs": ("inputs", "`[name, …]`", "variables that the prompt names in braces"),
        "prompt": ("prompt", "a text", "the question; it is answered by one label of the target"),
        "effect": ("effect", "`observe`, `set_preference`, `set_prior`, `suggest_action`, `note`",
                   "what the answer does"),
        "target": ("target", "a name", "the variable that the answer is a label of"),
    },
}  # fmt: skip
#: What is written in text where the key of JSON is another.
_WRITTEN = {"agent_type": "type", "given": "from", "of": "to"}
_SPELLED = {
    "agent": block_nodes._AGENT_KEYS,
    "state, observation, action": block_nodes._VARIABLE_KEYS,
    "emission, transition, belief": block_nodes._CONDITIONAL_KEYS,
    "preference": block_nodes._PREFERENCE_KEYS,
    "policy": block_nodes._POLICY_KEYS,
    "llm_query": block_nodes._QUERY_KEYS,
}

#: Of each kind of table: what a row is, and an example in the document of the page.
KINDS = {
    "rows": ("The distributions themselves. `80%` and `1/3` are probabilities, too.",
             "node belief D { about: pos rows: [[50%, 30%, 20%]] }"),
    "map": ("One value for each context, certainly.",
            "node emission A { from: [pos] to: seen map: [door, door, desk] }"),
    "identity": ("The value of the parent: of the target's own previous value where it is a parent,"
                 " else of the first. Both have as many values.",
                 "node emission A { from: [pos] to: seen identity noise: 0.1 noise_kind: others }"),
    "uniform": ("Every value equally likely.", "node belief D { about: pos uniform }"),
    "shift": ("A step along a line, by the action. `boundary` says what happens at the edge: `stay`"
              " where it is, `clamp` to the edge, `wrap` around.",
              "node transition B { from: [go, pos] to: pos shift"
              " moves: {back: [-1], stay: [0], on: [1]} boundary: wrap }"),
    "grid": ("A step on a grid: rows, then columns. The state has a `shape`; `blocked` are walls.",
             "node state pos { shape: [2, 2] }\n"
             "node action go { labels: [down, right] }\n"
             "node emission A { from: [pos] to: seen map: [door, hall, hall, desk] }\n"
             "node transition B { from: [go, pos] to: pos grid"
             " moves: {down: [1, 0], right: [0, 1]} blocked: [r1c0] }\n"
             "node belief D { about: pos map: [r0c0] }"),
    "rules": ("The first rule whose every condition holds gives the row; one without `when` always"
              " holds. Conditions take labels, `*` patterns and `0..2` ranges of indices. Outcomes"
              " take labels, patterns (which share the probability), `@stay`, and steps from the"
              " previous value: `@+1`, `@-1`, on a grid `@(0,1)`.",
              "node transition B { from: [go, pos] to: pos rules: [\n"
              "  {when: {go: on, pos: [door, hall]}, then: {@+1: 0.9, @stay: 0.1}},\n"
              "  {when: {go: back}, then: {door: 1}},\n"
              "  {then: {@stay: 1}},\n"
              "] }"),
}  # fmt: skip

LIMITS = {
    "document_bytes": "bytes of a document",
    "nesting": "depth of brackets and braces",
    "states": "states",
    "observations": "observations",
    "actions": "actions",
    "variable_size": "values of a variable",
    "label_length": "characters of a name or label",
    "parents": "parents of a table",
    "table_entries": "numbers of a table",
    "total_entries": "numbers of all tables together",
    "written_numbers": "numbers written out in a document",
    "rules": "rules of a table",
    "horizon": "steps looked ahead",
    "contingent_horizon": "steps looked ahead by plans that branch",
    "policies": "plans compared",
    "queries": "queries",
    "parts": "entries of a list",
}


@functools.cache
def judged(code: str) -> tuple[Validation, Validation]:
    """The verdicts on both documents of a code's example, with what is said beside them."""
    example = code_examples()[code]
    fails, fixed = example.documents()
    return _judged(fails, example), _judged(fixed, example)


def _judged(document: str, example: CodeExample) -> Validation:
    beside = dict(example.beside)
    request, kind = beside.pop("request", ""), beside.pop("as", "")
    expected = [Expectation.parse(text) for text in (beside.pop("expect", ""),) if text]
    bounds = {key: int(bound) for key, bound in beside.items()}
    verdict = validate(document, kind=kind, expectations=expected, constraints=bounds)
    if not request or verdict.spec is None or verdict.compiled is None:
        return verdict
    from orchestrator.gmn.request.fits import with_fits

    report = with_fits(verdict.report, request, verdict.spec, verdict.compiled)
    return replace(verdict, report=report)


def found(code: str, verdict: Validation) -> list[Diagnostic]:
    """The findings and repairs of a verdict that have the code."""
    every = (*verdict.report.diagnostics, *verdict.report.repairs)
    return [one for one in every if one.code == code]


def filled(page: str) -> str:
    """The page with every generated part made again."""
    return _PART.sub(lambda part: f"{part[1]}\n{_GENERATED[part[2]]()}\n{part[3]}", page)


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _nodes() -> str:
    rows = [("type", "also written", "is")]
    for name, words in NODES.items():
        others = [f"`{alias}`" for alias, known in TYPE_ALIASES.items() if known == name]
        rows.append((f"`{name}`", ", ".join(others), words))
    return _table(*rows)


def _properties() -> str:
    return "\n".join(_properties_of(nodes) for nodes in PROPERTIES)


def _properties_of(nodes: str) -> str:
    rows = [("property", "also written", "in JSON", "value", "says")]
    for name, (key, values, words) in PROPERTIES[nodes].items():
        others = [f"`{alias}`" for alias in aliases(nodes, name) if alias != name]
        json_key = ", ".join(f"`{part}`" for part in key.split(", ")) if key else ""
        rows.append((f"`{name}`", ", ".join(others), json_key, values, words))
    return f"### {nodes}\n\n{_table(*rows)}"


def _written(nodes: str, key: str) -> str:
    """How text writes what JSON calls `key`; a preference has `given` in both."""
    return key if nodes == "preference" else _WRITTEN.get(key, key)


def canonical(nodes: str) -> set[str]:
    """The properties of nodes as they are written, each once."""
    return {_written(nodes, key) for key in _SPELLED[nodes].values()}


def aliases(nodes: str, name: str) -> list[str]:
    """Every spelling of a property."""
    return [alias for alias, key in _SPELLED[nodes].items() if _written(nodes, key) == name]


def _kinds() -> str:
    return "\n".join(_kind(name, *KINDS[name]) for name in KINDS)


def _kind(name: str, words: str, example: str) -> str:
    others = [f"`{alias}`" for alias, kind in coercion._KIND_ALIASES.items() if kind == name]
    also = f" Also written {', '.join(others)}." if others else ""
    return f"### {name}\n\n{words}{also}\n\n```gmn\n{example}\n```\n\n{_expanded(example, name)}"


def _expanded(example: str, kind: str) -> str:
    """The table of an example, written out."""
    spec = validate(whole(example)).spec
    assert spec is not None
    tables = (*spec.likelihoods, *spec.transitions, *spec.priors)
    table = next(one for one in tables if f"node {_node_of(spec, one)} " in example
                 and one.table.kind == kind)  # fmt: skip
    of, given = spec.variable(table.of), [spec.variable(name) for name in table.given]
    assert of is not None
    parents = [variable for variable in given if variable is not None]
    rows = [(" ".join(table.given) or "at the start", *of.names)]
    for number, row in enumerate(expand(table.table, of, parents)):
        context = context_labels(number, parents) if parents else ""
        rows.append((context, *(f"{p:.3g}" for p in row)))
    return _table(*rows)


def _node_of(spec: object, table: object) -> str:
    for section, kind in (("likelihoods", "emission"), ("transitions", "transition")):
        if table in getattr(spec, section):
            return kind
    return "belief"


def _limits() -> str:
    rows = [("at most", "of")]
    rows += [(f"{getattr(DEFAULT_LIMITS, key):,}", words) for key, words in LIMITS.items()]
    return _table(*rows)


def _codes() -> str:
    examples = code_examples()
    parts, about = [], ""
    for code in CATALOGUE.values():
        if code.about != about:
            about = code.about
            parts.append(f"### {code.code[:4]}xx: {about}\n\n")
        parts.append(_code(code, examples[code.code]))
    return "".join(parts).rstrip("\n") + "\n"


def _code(code: Code, example: CodeExample) -> str:
    return "\n".join([f"#### {code.code} {code.title}\n", *_of_code(code, example), ""])


def _of_code(code: Code, example: CodeExample) -> Iterator[str]:
    severity = str(code.severity).capitalize()
    yield f"{severity}. {example.words}\n"
    if not example.fails:
        return
    for key, value in example.beside.items():
        yield f"With {_ASKED.get(key, f'the bound `{key}`')} `{value}`:\n"
    verdict, _ = judged(code.code)
    first = found(code.code, verdict)[0]
    is_repaired = first in verdict.report.repairs and code.code < "GMN8"
    yield f"```gmn\n{example.fails}```\n"
    yield f"> {' '.join(first.message.split())}{' *(repaired)*' if is_repaired else ''}\n"
    yield f"```gmn\n{example.fixed}```\n"


_ASKED = {"request": "the request", "expect": "the expectation", "as": "`--as`"}


def _base() -> str:
    return f"```gmn\n{base()}```\n"


_GENERATED = {"base": _base, "nodes": _nodes, "properties": _properties, "kinds": _kinds,
              "limits": _limits, "codes": _codes}  # fmt: skip

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
