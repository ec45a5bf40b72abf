"""Findings about a document, as data.

One list of `Diagnostic` drives local repair, the words sent to a model, the lines on a
terminal, the body of an HTTP error and the statistics.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from orchestrator.types.fits import Fits  # at run time: kept runs are read by their fields
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: One RFC 6902 operation on the canonical JSON of a document: op, path, and value where needed.
PatchOperation = dict[str, object]


class Severity(StrEnum):
    """An error blocks the use of a document; a warning and an info do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, from 1, in the text as the user wrote it."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that removes a finding.

    Attributes:
        kind: ``safe`` is applied locally and reported; ``suggest`` only when the caller opts in;
            ``ask`` needs a model or a person (then `patch` is empty).
        description: what it does, for example "scale the row to sum 1".
        patch: RFC 6902 operations on the canonical JSON of the document.
    """

    kind: Literal["safe", "suggest", "ask"]
    description: str
    patch: tuple[PatchOperation, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding, with everything needed to show it, repair it or explain it to a model.

    Attributes:
        code: catalogue number with prefix, for example ``GMN201``.
        message: one sentence with the offending value, in labels rather than indices.
        pointer: RFC 6901 pointer into the canonical JSON, empty for the document as a whole.
        place: position in the text read, None when the document did not come as text.
        variable: name of the variable or table concerned.
        context: the row concerned, in labels: ``move=up, pos=r0c1``.
        got, expected: the offending and the accepted value, as text.
        fix: a change that removes the finding; None when none is known.
        missing: pointer of the part that is not there, empty where a part is there and wrong.
    """

    code: str
    severity: Severity
    message: str
    pointer: str = ""
    place: Position | None = None
    variable: str = ""
    context: str = ""
    got: str = ""
    expected: str = ""
    fix: Fix | None = None
    missing: str = ""

    def __str__(self) -> str:
        where = f"{self.place.line}:{self.place.column}: " if self.place else ""
        return visible(f"{where}{self.code} {self.severity}: {self.message}")

    def as_dict(self) -> dict[str, object]:
        """JSON-ready form; empty fields are left out."""
        found: Mapping[str, object] = {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "pointer": self.pointer,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "variable": self.variable,
            "context": self.context,
            "got": self.got,
            "expected": self.expected,
            "fix": {"kind": self.fix.kind, "says": self.fix.description} if self.fix else None,
        }
        return {key: value for key, value in found.items() if value not in ("", None)}


if TYPE_CHECKING:
    _Pair = tuple[bool, tuple[Diagnostic, ...]]  # so the types of both parts are known
else:
    _Pair = object


@dataclass(frozen=True, slots=True)
class Report(_Pair):
    """Everything found in one document; unpacks as the pair ``is_valid, errors``.

    *Valid*, *runs*, *behaves* and *fits* are separate answers: no error-level finding; a few steps
    were simulated without a fault; the expectations held; what the request commits to is there.
    None means not checked.

    Attributes:
        diagnostics: what remains after repair, in document order.
        repairs: what was found and repaired locally; never beyond the stated bands.
        runs: whether the model was compiled and simulated.
        behaves: whether every behavioural expectation held.
        behaviour: one line per expectation: the expectation, the measured rate, and for a failed
            one a short trace in labels.
        fits: every commitment of the request with where it stands in the model.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()
    runs: bool | None = None
    behaves: bool | None = None
    behaviour: tuple[str, ...] = ()
    fits: Fits | None = None

    if not TYPE_CHECKING:

        def __iter__(self) -> Iterator[object]:
            return iter((self.is_valid, self.errors))

        def __len__(self) -> int:
            return 2

        def __getitem__(self, at: object) -> object:
            return (self.is_valid, self.errors)[at]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that block use."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings of severity warning; they do not block use."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.WARNING)

    @property
    def is_valid(self) -> bool:
        """Whether no error remains."""
        return not self.errors

    @property
    def is_accepted(self) -> bool:
        """Whether it is valid and neither `runs` nor `behaves` is False."""
        return self.is_valid and self.runs is not False and self.behaves is not False

    def as_dict(self) -> dict[str, object]:
        """JSON-ready form."""
        return {
            "valid": self.is_valid,
            "runs": self.runs,
            "behaves": self.behaves,
            "diagnostics": [d.as_dict() for d in self.diagnostics],
            "repairs": [d.as_dict() for d in self.repairs],
            "behaviour": list(self.behaviour),
            "fits": self.fits and self.fits.as_dict(),
        }


def listed(found: Sequence[Diagnostic], most: int, code: str) -> Sequence[Diagnostic]:
    """At most so many, errors before others, and one of code `code` that counts the rest."""
    if len(found) <= most:
        return found
    ranked = sorted(range(len(found)), key=lambda n: (found[n].severity is not Severity.ERROR, n))
    rest = Counter(found[n].code for n in ranked[most:])
    codes = ", ".join(f"{count:,} {of}" for of, count in rest.most_common())
    words = f"and {rest.total():,} more: {codes}"
    last = Diagnostic(code, Severity.WARNING, words, got=str(len(found)), expected=str(most))
    return [*(found[n] for n in sorted(ranked[:most])), last]
