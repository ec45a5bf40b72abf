"""Surface faults that models make, applied to good documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"

Mutation = Callable[[str], str]


def _first(pattern: str, replacement: str) -> Mutation:
    return lambda text: re.sub(pattern, replacement, text, count=1)


def _percent(text: str) -> str:
    """The rows of the first table as percentages."""
    match = re.search(r"rows: \[\n(.*?)\n  \]", text, re.DOTALL)
    if match is None:
        return text
    rows = re.sub(r"\d*\.?\d+", lambda n: f"{float(n[0]) * 100:g}", match[1])
    return text[: match.start(1)] + rows + text[match.end(1) :]


def _unnormalised(text: str) -> str:
    return re.sub(
        r"(rows: \[\n    \[)(\d*\.?\d+)", lambda m: f"{m[1]}{float(m[2]) + 0.01:g}", text, count=1
    )


TEXT: dict[str, Mutation] = {
    "fenced": lambda t: f"```\n{t}```",
    "fenced with a language": lambda t: f"```gmn\n{t}```\n",
    "prose before": lambda t: f"Sure! Here is the model you asked for:\n\n{t}",
    "prose after": lambda t: f"{t}\nI hope this helps with your project",
    "prose and fence": lambda t: f"Of course.\n\n```\n{t}```\n\nLet me know if you need changes.",
    "no version": lambda t: t.replace("gmn 1.0\n", "", 1),
    "fence left open": lambda t: f"```\n{t}",
    "last brace missing": lambda t: t.rstrip()[:-1],
    "commas between properties": lambda t: re.sub(r"\n  (?=[a-z_]+:)", ",\n  ", t),
    "semicolons": lambda t: re.sub(r"(horizon: \d+)", r"\1;", t),
    "quoted labels": lambda t: re.sub(
        r"labels: \[([^\]]*)\]",
        lambda m: "labels: [" + ", ".join(f'"{w.strip()}"' for w in m[1].split(",")) + "]",
        t,
    ),
    "comments": lambda t: t.replace("\nnode", "\n# next\nnode"),
    "slash comments": lambda t: t.replace("\nnode", "\n// next\nnode"),
    "kinds in capitals": lambda t: t.replace("node state", "node State"),
    "alias likelihood": lambda t: t.replace("node emission", "node likelihood"),
    "alias prior": lambda t: t.replace("node belief", "node prior"),
    "alias given": lambda t: t.replace("  from: [", "  given: ["),
    "alias depends_on": lambda t: t.replace("  from: [", "  depends_on: ["),
    "alias of": lambda t: t.replace("  to: ", "  of: "),
    "typo in a node type": lambda t: t.replace("node transition", "node transiton", 1),
    "typo in a key": lambda t: t.replace("horizon:", "horizen:"),
    "unknown property": lambda t: t.replace("  gamma:", "  colour: blue\n  gamma:"),
    "wrong case of a target": _first(r"  to: (\w)(\w*)", lambda m: f"  to: {m[1].upper()}{m[2]}"),  # type: ignore[arg-type]
    "typo in a parent": _first(r"(  from: \[[a-z_]{3,}?)([a-z_])(?=[,\]])", r"\1\2\2"),
    "scalar for a list": _first(r"from: \[(\w+)\]", r"from: \1"),
    "gamma as text": lambda t: re.sub(r"gamma: (\S+)", r'gamma: "\1"', t),
    "horizon as a decimal": lambda t: re.sub(r"horizon: (\d+)", r"horizon: \1.0", t),
    "noise in percent": _first(r"noise: 0\.(\d)\n", r"noise: \g<1>0\n"),
    "rows in percent": _percent,
    "a row off by one hundredth": _unnormalised,
    "trailing commas": lambda t: re.sub(r"\]\n", ",]\n", t),
    "windows line ends": lambda t: t.replace("\n", "\r\n"),
    "prior said twice": lambda t: t + re.search(r"node belief .*?\n\}\n", t, re.DOTALL)[0],  # type: ignore[index]
    "parent listed twice": _first(r"from: \[(\w+)", r"from: [\1, \1"),
}  # fmt: skip


def _keys_in_capitals(text: str) -> str:
    return text.replace('"horizon"', '"Horizon"')


JSON: dict[str, Mutation] = {
    "fenced": lambda t: f"```json\n{t}```",
    "prose around": lambda t: f"Here you go:\n{t}\nEnjoy!",
    "trailing comma": lambda t: t.replace("\n}", ",\n}"),
    "single quotes": lambda t: t.replace('"', "'") if "'" not in t else t,
    "a comment": lambda t: t.replace('{\n  "gmn"', '{\n  // the model\n  "gmn"'),
    "last brace missing": lambda t: t.rstrip()[:-1],
    "number as text": lambda t: re.sub(r'"horizon": (\d+)', r'"horizon": "\1"', t),
    "key in capitals": _keys_in_capitals,
    "unknown key": lambda t: t.replace('"gmn": "1.0",', '"gmn": "1.0", "author": "me",'),
    "missing version": lambda t: t.replace('"gmn": "1.0",', "", 1),
    "wrapped": lambda t: f'{{"model": {t}}}',
    "null for empty": lambda t: t.replace("[]", "null"),
    "list around": lambda t: f"[{t}]",
}


def corpus() -> Iterator[tuple[str, GMNSpec, str]]:
    """Name, intended document and faulty text of every mutation that changes the text."""
    for path in sorted(LIBRARY.glob("*.gmn")):
        spec = validate(path.read_text(), run_steps=0).spec
        assert spec is not None
        for form, mutations in ((write_text(spec), TEXT), (write_json(spec), JSON)):
            for name, mutate in mutations.items():
                broken = mutate(form)
                if broken != form:
                    yield f"{path.stem}: {name}", spec, broken
        yield from _tables(path.stem, spec)


def _tables(stem: str, spec: GMNSpec) -> Iterator[tuple[str, GMNSpec, str]]:
    """Faults in the numbers: transposed tables, and sizes off by one."""
    tree = spec.to_json()
    likelihoods = tree["likelihoods"]
    assert isinstance(likelihoods, list)
    for index, table in enumerate(likelihoods):
        rows = table["table"]["rows"]
        if not rows or len(rows) == len(rows[0]):
            continue
        turned = [list(column) for column in zip(*rows, strict=True)]
        changed = json.loads(json.dumps(tree))
        changed["likelihoods"][index]["table"]["rows"] = turned
        yield f"{stem}: transposed", spec, json.dumps(changed)
    states = tree["states"]
    assert isinstance(states, list)
    for index, state in enumerate(states):
        if state["labels"]:
            changed = json.loads(json.dumps(tree))
            changed["states"][index]["size"] = len(state["labels"]) + 1
            yield f"{stem}: size off by one", spec, json.dumps(changed)
