"""What is known of one text, each part worked out when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from orchestrator.gmn.formats import Reading
from orchestrator.gmn.imports import read
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.validate import validate
from orchestrator.server.lsp.findings import CheckedText, Marked, check
from orchestrator.server.lsp.mentions import Symbols, names_in
from orchestrator.types.work import TooMuchWork, allowance

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.gmn.validate import Validation
    from orchestrator.server.lsp.positions import Text

T = TypeVar("T")


class NotPossibleError(ValueError):
    """What was asked for cannot be done with this text; the message says why, and what to do."""


@dataclass(slots=True)
class Analysis:
    """A text that does not change, with what was worked out about it.

    Its methods are called in threads. Two of them may work out the same; what is first is kept.
    """

    text: Text
    _known: dict[str, object] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """The text without its byte order mark."""
        return self.text.body

    @property
    def is_too_large(self) -> bool:
        """Whether it is beyond what is read; then nothing but that is said of it."""
        return len(self.text.whole) > DEFAULT_LIMITS.document_bytes

    def checked(self) -> CheckedText:
        """Findings with their place."""
        return self._once("checked", lambda: check(self.text))

    def found_so_far(self) -> tuple[Marked, ...]:
        """The findings, where they are worked out already."""
        known = self._known.get("checked")
        return known.found if isinstance(known, CheckedText) else ()

    def as_written(self) -> Validation:
        """The verdict without repairs: every fix is one of the document as it is."""
        return self._once("written", lambda: validate(self.body, repair="none", run_steps=0))

    @property
    def is_block_text(self) -> bool:
        """Whether it is in the language's own form, or may become that."""
        return self.reading().spelling == "text" and self.body.lstrip()[:1] not in ("{", "[")

    def reading(self) -> Reading:
        """The document as it was read; without a tree where that takes more than it may."""
        return self._once("reading", self._read)

    def names(self) -> Symbols:
        """Variables, labels, and where they are named; none where the text is too much work."""
        return self._once("names", self._names)

    def _read(self) -> Reading:
        try:
            with allowance(DEFAULT_LIMITS.work):
                return read(self.body)
        except TooMuchWork:  # which `checked` reports
            return Reading(None)

    def _names(self) -> Symbols:
        try:
            reading = self.reading()
            with allowance(DEFAULT_LIMITS.work):
                return names_in(reading) if reading.places.text == self.body else Symbols()
        except TooMuchWork:
            return Symbols()

    def _once(self, name: str, work: Callable[[], T]) -> T:
        if name not in self._known:
            self._known.setdefault(name, work())
        found: T = self._known[name]  # type: ignore[assignment]  # what `work` of this name gave
        return found
