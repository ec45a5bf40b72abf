"""How a result presents itself: on a screen, in a notebook, as data, as a file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.types.visible import json_text, visible

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Report
    from orchestrator.types.requests import Attempt, Usage
    from orchestrator.types.searching import Citation, SearchReport

_FEWEST_BACKTICKS = 3


class Presentation:
    """The forms of a `Generation`; its attributes are documented there."""

    __slots__ = ()
    if TYPE_CHECKING:
        spec: Any
        text: str
        report: Report
        attempts: tuple[Attempt[Any], ...]
        usage: Usage
        cost_usd: float | None
        cached: bool
        citations: tuple[Citation, ...]
        search: SearchReport

        @property
        def provider(self) -> str: ...
        @property
        def model(self) -> str: ...

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Generation of {type(self.spec).__name__}: {self._summary()}>"

    def _repr_markdown_(self) -> str:
        """The form that notebooks show, in code blocks, where no text is markup: the text, what it
        took, the findings."""
        found = [*self.report.diagnostics, *self.report.repairs]
        lines = "\n".join([self._summary(), *(f"- {finding}" for finding in found)])
        text = visible(self.text.rstrip(), lines=True)
        longest = max((len(ticks) for ticks in re.findall("`+", f"{text} {lines}")), default=0)
        fence = "`" * max(_FEWEST_BACKTICKS, longest + 1)
        return f"{fence}\n{text}\n{fence}\n{fence}\n{lines}\n{fence}"

    def _repr_svg_(self) -> str | None:
        """The picture of a specification; None where the value has none."""
        return self.spec.to_svg() if hasattr(self.spec, "to_svg") else None

    def _repr_html_(self) -> str | None:
        """What it took, the picture of a specification, its text and the findings."""
        if (picture := self._repr_svg_()) is None:
            return None
        import html  # noqa: PLC0415  for notebooks alone

        found = [*self.report.diagnostics, *self.report.repairs]
        lines = "\n".join([self._summary(), *(visible(f"- {finding}") for finding in found)])
        text = html.escape(visible(self.text.rstrip(), lines=True))
        said = f"<details><summary>text</summary><pre>{text}</pre></details>"
        return f"<div><pre>{html.escape(lines)}</pre>{picture}{said}</div>"

    def _summary(self) -> str:
        verdicts = {"runs": self.report.runs, "behaves": self.report.behaves}
        said = [
            f"{name}: {'yes' if held else 'no'}"
            for name, held in verdicts.items()
            if held is not None
        ]
        if self.report.fits is not None:
            said.append(f"fits: {self.report.fits}")
        calls = len(self.attempts)
        cost = "price not known" if self.cost_usd is None else f"{self.cost_usd:.6g} USD"
        parts = [
            ", ".join(["valid" if self.report.is_valid else "not valid", *said]),
            f"{calls} {'call' if calls == 1 else 'calls'}",
            f"{self.usage.total_tokens} tokens",
            "from the cache" if self.cached else cost,
            self.model,
        ]
        return visible("; ".join(part for part in parts if part))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form: text, value, report, what it took, and every answer on the way."""
        return {
            "text": self.text,
            "spec": self._data(),
            "report": self.report.as_dict(),
            "provider": self.provider,
            "model": self.model,
            "cached": self.cached,
            "cost_usd": self.cost_usd,
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
            },
            "citations": [asdict(one) for one in self.citations],
            "search": asdict(self.search),
            "attempts": [
                {
                    "purpose": attempt.purpose,
                    "reason": attempt.reason,
                    "kind": attempt.evaluation.kind,
                    "errors": [d.code for d in attempt.evaluation.report.errors],
                    "answer": attempt.answer.text,
                }
                for attempt in self.attempts
            ],
        }

    def save(self, path: str | Path) -> Path:
        """Write the text to a file, or the value as JSON where its name ends in ``.json``.

        A file that is there is replaced.

        Raises: OSError: the file cannot be written.
        """
        file = Path(path)
        is_json = file.suffix.lower() == ".json"
        text = json_text(self._data(), indent=2) if is_json else self.text
        file.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
        return file

    def _data(self) -> Any:
        """The value as JSON data: a specification says its own, else the text is JSON."""
        return self.spec.to_json() if hasattr(self.spec, "to_json") else json.loads(self.text)
