"""What a verdict says, for tests of the language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.validate import Validation, validate

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec


def runs(text: str) -> tuple[GMNSpec, Compiled]:
    """The model of a document that runs as it stands."""
    verdict = validate(text)
    assert verdict.report.runs, verdict.report.errors
    assert verdict.report.repairs == ()
    assert verdict.spec is not None
    assert verdict.compiled is not None
    return verdict.spec, verdict.compiled


def errors(verdict: Validation) -> list[tuple[str, str]]:
    """Code and pointer of each error."""
    return [(d.code, d.pointer) for d in verdict.report.errors]
