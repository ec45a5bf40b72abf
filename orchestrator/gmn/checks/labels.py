"""GMN116, 121, 122, 710: labels of a variable differ, are short, and written as labels are."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.gmn.checks.fixes import put, safe
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.checks.structure import labels_used, pointers
from orchestrator.gmn.codes import finding
from orchestrator.gmn.model import LABEL_PATTERN
from orchestrator.types.visible import visible
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.model import Variable
    from orchestrator.types.diagnostics import Diagnostic, Fix

_RANGE_LIKE = re.compile(r"\d+\.\.\d+\Z")
_LISTED = re.compile(r"\(([^()]+)\)")


@check("GMN116", "GMN121", "GMN710")
def labels_are_well_formed(subject: Subject) -> Iterator[Diagnostic]:
    """Labels are unique within the variable, short, and written as labels are."""
    for _, pointer, variable in pointers(subject.spec):
        counts = Counter(variable.labels)
        twice = [label for label, count in counts.items() if count > 1]
        if twice:
            words = f"label {twice[0]!r} of {variable.name} is listed {counts[twice[0]]} times"
            yield finding("GMN116", words, pointer=f"{pointer}/labels", variable=variable.name)
        for i, label in enumerate(variable.labels):
            if _RANGE_LIKE.match(label) or not re.fullmatch(LABEL_PATTERN, label):
                yield _odd_label(subject, pointer, variable, i)


def _clean(label: str) -> str:
    """The label without what only parts words; a sign, an operator, a letter is never left out."""
    return re.sub(r"[\s\"'`.,:;/\\|()\[\]{}*?#@&]+", "_", label).strip("_")[:48]


def _odd_label(subject: Subject, pointer: str, variable: Variable, i: int) -> Diagnostic:
    label, most = variable.labels[i], subject.limits.label_length
    look(2 * len(variable.labels))
    clean = _clean(label) or f"v{i}"
    fix: Fix | None = None
    alike = [other for other in variable.labels if clean in (other, _clean(other))]
    if alike == [label] and re.fullmatch(LABEL_PATTERN, clean):
        operations = [put(f"{pointer}/labels/{i}", clean)]
        operations += [put(where, clean) for where in _uses(subject, variable.name, label)]
        fix = safe(f"rename to {clean!r}", *operations)
    code, why = "GMN121", "could be read as a range or a pattern"
    if len(label) > most:
        code, why = "GMN710", f"has {len(label)} characters, more than {most}"
    elif visible(label) != label:
        why = "holds characters that are not seen"
    elif others := "".join(sorted(set(re.sub(r"[\w.+*@-]", "", label, flags=re.ASCII)))):
        why = f"holds {others!r}; a label is letters a to z, digits, _ . + - and no space"
    return finding(
        code,
        f"label {label[:most]!r} of {variable.name} {why}",
        pointer=f"{pointer}/labels/{i}",
        variable=variable.name,
        got=label,
        fix=fix,
    )


def _uses(subject: Subject, variable: str, label: str) -> Iterator[str]:
    for pointer, used, owner in labels_used(subject):
        look()
        if used == label and owner.name == variable:
            yield pointer


@check("GMN122")
def labels_hide_in_no_description(subject: Subject) -> Iterator[Diagnostic]:
    """Labels listed in a description, such as "(low, mid, high)" beside ``size: 3``."""
    for _, pointer, variable in pointers(subject.spec):
        if variable.labels or not variable.size or variable.shape:
            continue
        match = _LISTED.search(variable.description)
        words = _split(match[1]) if match else []
        fits = len(words) == len(set(words)) == variable.size
        if fits and all(re.fullmatch(LABEL_PATTERN, word) for word in words):
            fix = safe("take the labels", put(f"{pointer}/labels", words))
            found = f"labels of {variable.name} taken from its description: {', '.join(words)}"
            yield finding("GMN122", found, pointer=pointer, variable=variable.name, fix=fix)


def _split(listed: str) -> Sequence[str]:
    return [word.strip() for word in re.split(r"[,;/]", listed) if word.strip()]
