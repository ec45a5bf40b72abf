"""Arrays as pymdp takes them: A[m] is [outcome, states…], B[f] is [next, states…, actions…].

One array or a list of them, also by name; with or without a leading batch axis of 1. Which of these
a document has is decided by proof: sizes that fit, and an outcome axis that sums to 1.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.beside import BESIDE, with_beside
from orchestrator.gmn.imports.imported import AS_PROMPT, Imported, from_json, imported, unread
from orchestrator.gmn.imports.kinds import TABLE_KEYS
from orchestrator.gmn.imports.layout import POLICY, SIZES, Layout, read_sizes
from orchestrator.gmn.imports.numbers import MOST_TABLES, array_in, is_batch
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

_ARRAYS = ("A", "B", "C", "D", "E", "V")
_DEPENDENCIES = ("A_dependencies", "B_dependencies", "B_action_dependencies")
_BATCHED = " with a batch axis"
_KEYS = (
    "name", "description", "labels", *(k for keys in SIZES.values() for k in keys), *_ARRAYS,
    *_DEPENDENCIES, *POLICY, *BESIDE,
)  # fmt: skip


def read(text: str) -> Imported:
    """Read a JSON text that holds arrays."""
    return from_json(text, read_data)


def read_data(source: Mapping[str, object]) -> Imported:
    """Read a JSON object that holds arrays, under whichever of their customary names."""
    called = {kind: [key for key in keys if key in source] for kind, keys in TABLE_KEYS.items()}
    found = [
        finding("GMN004", f"{' and '.join(map(repr, keys))} both say {kind}; keep one", got=keys[1])
        for kind, keys in called.items()
        if len(keys) > 1
    ]
    if found:
        return imported(None, found)
    other = {keys[0]: kind for kind, keys in called.items() if keys and keys[0] != kind}
    made = _read({other.get(key, key): value for key, value in source.items()})
    notes = [
        finding("GMN804", f"{key!r} read as {kind!r}", pointer=f"/{key}", got=key)
        for key, kind in other.items()
    ]
    names = {kind: key for key, kind in other.items()}

    def renamed(pointer: str) -> str:
        first, *rest = pointer.split("/")[1:] or [""]
        return "/".join(["", names.get(first, first), *rest]) if pointer else ""

    notes += [dataclasses.replace(d, pointer=renamed(d.pointer)) for d in made.notes]
    errors = [dataclasses.replace(d, pointer=renamed(d.pointer)) for d in made.errors]
    origins = {pointer: renamed(origin) for pointer, origin in made.origins.items()}
    return imported(made.document or None, [*errors, *notes], origins)


def _read(source: Mapping[str, object]) -> Imported:
    found = [finding("GMN804", "read as arrays in pymdp's layout: A, B, C, D")]
    found += _policies_of_spm(source)
    if any(d.code == "GMN803" for d in found):
        source = {key: value for key, value in source.items() if key != "V"}
    found += unread(source, _KEYS, "the document")
    readings = [
        (pair, layout)
        for pair in _pairs(source)
        if (layout := Layout.of(source, pair[0].arrays, pair[1].arrays))
    ]
    fitting = [(pair, layout) for pair, layout in readings if layout.is_proven()]
    broken = _not_arrays(source)
    if broken or not readings or "A" not in source:
        return imported(None, [*found, *(broken or [_nothing(source)])])
    if not fitting and (batches := _batches(source)):
        return imported(None, batches)
    pair, layout = (fitting or readings)[0]
    if more := [*_too_many(source, pair), *([] if fitting else layout.unfit_vectors())]:
        return imported(None, more)
    found += [*layout.found, *_unfit(source, layout)]
    for form, key in zip(pair, "AB", strict=True):
        if form.words:
            found.append(finding("GMN804", f"{key} read as {form.words}", pointer=f"/{key}"))
    others = [other for other, second in fitting[1:] if not layout.is_same(second)]
    if others:
        words = "; ".join(" and ".join(f.words or "a list of arrays" for f in o) for o in others)
        found.append(finding("GMN801", f"A and B could also be read as {words}"))
    origins = {
        f"/{section}/{i}": f"/{key}/{i}"
        for section, key in (("likelihoods", "A"), ("transitions", "B"), ("preferences", "C"))
        for i in range(MOST_TABLES)
    }
    tree = layout.tree(found)
    if any(d.severity is Severity.ERROR for d in found):  # what else is wrong rests on it
        return imported(None, found)
    return imported(with_beside(source, tree, found), found, origins)


def _policies_of_spm(source: Mapping[str, object]) -> list[Diagnostic]:
    """SPM calls its policies V: whole numbers from 1, where `V` here is what states are worth."""
    said = array_in(source.get("V"))
    if said is None or not {"T", "U"} & set(source) or not said.size:
        return []
    if (said < 1).any() or (said != np.round(said)).any():
        return []
    words = "'V' ignored: beside T or U it is the policies of SPM; horizon says how far plans look"
    return [finding("GMN803", words, pointer="/V", got="V")]


def _nothing(source: Mapping[str, object]) -> Diagnostic:
    """Why there is no model in arrays."""
    if "A" not in source:
        words = "there is B, but no A[modality][observation, states…]: write what is observed"
        return finding("GMN010", words, pointer="/B")
    if any(form.arrays for form in _forms(source.get("A"), 2)):
        words = "there is A, but no B[factor][next, previous, action]: write how the states move"
        return finding("GMN010", f"{words}, or num_states where they never do", pointer="/A")
    return finding("GMN806", f"its arrays hold no probabilities; {AS_PROMPT}")


class _Form(NamedTuple):
    """One way to take the arrays of a key, and how that is called where it is not the usual one.

    Attributes:
        batch: how many equal models a leading axis holds; 0 where there is no such axis.
    """

    arrays: list[Array]
    words: str = ""
    batch: int = 0


def _pairs(source: Mapping[str, object]) -> list[tuple[_Form, _Form]]:
    """Every way to take A with every way to take B, the usual ones first; a batch is in both."""
    pairs = itertools.product(_forms(source.get("A"), 2), _forms(source.get("B"), 2))
    return [(a, b) for a, b in pairs if a.batch == b.batch or not (a.arrays and b.arrays)]


def _forms(value: object, least: int) -> list[_Form]:
    items = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return [_Form([])]
    forms: list[_Form] = []
    each = [array for item in items[:MOST_TABLES] if (array := array_in(item)) is not None]
    if each and all(array.ndim >= least for array in each):
        forms.append(_Form(each))
    alone = array_in(items)
    if alone is not None and alone.ndim >= least:
        forms.append(_Form([alone], "one array" if alone.ndim > least else ""))
    at = 0
    while at < len(forms):  # what is left of a batch may be one again
        form, at = forms[at], at + 1
        if (
            form.arrays
            and len({array.shape[0] for array in form.arrays}) == 1
            and all(array.ndim > least and is_batch(array) for array in form.arrays)
        ):
            words = f"{form.words.removesuffix(_BATCHED) or 'arrays'}{_BATCHED}"
            size = form.arrays[0].shape[0] * max(1, form.batch)
            forms.append(_Form([array[0] for array in form.arrays], words, size))
    usable = [array for array in each if array.ndim >= least]
    return forms or [_Form(usable)]


def _too_many(source: Mapping[str, object], pair: tuple[_Form, _Form]) -> Iterator[Diagnostic]:
    """A list of more arrays than are read, with its true length."""
    for key, form in zip("AB", pair, strict=True):
        said = source.get(key)
        count = len(said) if isinstance(said, list | dict) else 0
        if count > len(form.arrays) == MOST_TABLES:
            words = f"{key} is a list of {count} arrays, more than {MOST_TABLES}"
            yield finding("GMN708", words, pointer=f"/{key}", got=count, expected=MOST_TABLES)


def _unfit(source: Mapping[str, object], layout: Layout) -> Iterator[Diagnostic]:
    """What counts otherwise than the arrays it is about: an error; names are left out (803)."""
    counts = {
        "states": len(layout.states),
        "observations": len(layout.observations),
        "actions": len(layout.actions),
    }
    for key, kind in (("C", "observations"), ("V", "states"), ("D", "states")):
        lists = len(layout.vectors_of(key))
        if not isinstance(source.get(key), dict) and lists not in (0, counts[kind]):
            words = f"{key} is not one list for each of {counts[kind]} {kind}, but {lists}"
            yield finding("GMN008", words, pointer=f"/{key}", got=lists, expected=counts[kind])
    for kind, key in ((kind, key) for kind, keys in SIZES.items() for key in keys):
        said, sizes = source.get(key), read_sizes(source, key)
        is_passive = kind == "actions" and sizes and {*sizes} == {1}
        if said not in (None, []) and len(sizes or ()) != counts[kind] and not is_passive:
            words = f"{key} is not one size for each of {counts[kind]} {kind}"
            yield finding("GMN008", words, pointer=f"/{key}", got=str(said)[:40])
    labels = source.get("labels")
    named = labels if isinstance(labels, dict) else {"labels": labels}
    for kind, names in named.items():
        fits = isinstance(names, dict) and len(names) == counts.get(str(kind))
        if names is not None and not fits:
            at = f"{kind!r} of labels" if named is labels else "'labels'"
            words = f"{at} ignored: expected {{states: {{name: [label, …]}}, …}}, a name for each"
            yield finding("GMN803", words, pointer="/labels", got=str(kind))


def _not_arrays(source: Mapping[str, object]) -> list[Diagnostic]:
    found = []
    for key in ("A", "B"):
        value = source.get(key)
        alone = array_in(value)
        items = value if isinstance(value, list) and (alone is None or alone.ndim < 2) else []
        for index, item in enumerate(items[:MOST_TABLES]):
            array = array_in(item)
            if array is None or array.ndim < 2:
                words = f"{key}[{index}] is not an array of numbers with at least two axes"
                found.append(finding("GMN008", words, pointer=f"/{key}/{index}"))
    return [*found, *_not_vectors(source)]


def _not_vectors(source: Mapping[str, object]) -> Iterator[Diagnostic]:
    for key in ("C", "D", "V", "E"):
        value = source.get(key)
        said = [*value.values()] if isinstance(value, dict) else value
        if said is None or array_in(said) is not None:
            continue
        parts = [*enumerate(said[:MOST_TABLES])] if isinstance(said, list) else [(-1, said)]
        for index, item in parts:
            if item is not None and array_in(item) is None:
                words = f"{key}{f'[{index}]' if index >= 0 else ''} is not a list of numbers"
                yield finding("GMN008", words, pointer=f"/{key}")


def _batches(source: Mapping[str, object]) -> list[Diagnostic]:
    """One finding where nothing fits and every array has one axis more than it should."""
    arrays = [
        a for key in ("A", "B") for form in _forms(source.get(key), 2)[:1] for a in form.arrays
    ]
    count = {array.shape[0] for array in arrays if array.ndim > 2}
    if len(count) != 1 or not all(array.ndim > 2 for array in arrays):
        return []
    (n,) = count
    if n < 2 or not all(_sums_to_1(array, 1) for array in arrays):
        return []
    words = f"A and B have a leading batch axis of {n} different models; keep one of them"
    return [finding("GMN309", words, got=n, expected=1)]


def _sums_to_1(array: Array, axis: int) -> bool:
    return bool(np.all(np.abs(array.sum(axis=axis) - 1.0) <= 1e-2))
