"""What the reader of one kind of document gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.parsing.json_reader import read_json
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.types.diagnostics import Diagnostic


Tree = dict[str, object]
#: What can be done with what names things and holds no probabilities.
AS_PROMPT = "use it as a prompt: orchestrator generate"
#: Linear-Gaussian models are made of these; the language is about discrete ones.
_CONTINUOUS = ("F", "H", "Q", "R", "prior_mean", "prior_cov")


@dataclass(frozen=True, slots=True)
class Imported:
    """A document of another kind in the JSON form of GMN.

    Attributes:
        document: keys of the canonical JSON form; what the source does not say is left out. Empty
            where an error says why nothing could be read.
        notes: every reinterpretation (8xx, and what was repaired while reading).
        errors: what is wrong and stays wrong, with line and column wherever the text has them.
        offsets: character offset of parts of the text, by pointer into `document`.
        names: what parts are called in the source, by pointer, where their entry has no name.
        origins: of a reader of JSON, the pointer into the source of parts of `document`.
    """

    document: dict[str, object]
    notes: tuple[Diagnostic, ...] = ()
    errors: tuple[Diagnostic, ...] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


def imported(
    document: dict[str, object] | None,
    found: list[Diagnostic],
    origins: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> Imported:
    """The result of a reader that notes errors and reinterpretations in one list."""
    errors = tuple(d for d in found if d.severity is Severity.ERROR)
    notes = tuple(d for d in found if d.severity is not Severity.ERROR)
    return Imported(document or {}, notes, errors, names=names or {}, origins=origins or {})


def unread(source: Mapping[str, object], read: Sequence[str], where: str) -> list[Diagnostic]:
    """Findings on what `source` has beside `read`: a continuous model is refused."""
    left = [key for key in source if key not in read]
    continuous = [key for key in left if key in _CONTINUOUS]
    at = "" if where == "the document" else f"/{where}"
    if continuous:
        words = (
            f"{', '.join(continuous)} in {where}: a linear-Gaussian model; only discrete ones run"
        )
        return [finding("GMN802", words, pointer=f"{at}/{continuous[0]}", got=continuous[0])]
    return [
        finding("GMN803", f"{key!r} of {where} ignored", pointer=f"{at}/{key}", got=key)
        for key in left
    ]


def named(source: Mapping[str, object]) -> Tree:
    """Name and description of a document."""
    return {k: source[k] for k in ("name", "description") if k in source}


def from_json(text: str, read_data: Callable[[Mapping[str, object]], Imported]) -> Imported:
    """What `read_data` makes of a JSON text; an error where it is not an object."""
    try:
        data = read_json(text).value
    except ValueError as error:
        return Imported({}, errors=(finding("GMN009", f"not JSON: {error}"),))
    if not isinstance(data, dict):
        words = f"expected an object, got a JSON {type(data).__name__}"
        return Imported({}, errors=(finding("GMN009", words),))
    return read_data(data)
