"""What is left of a request that failed after answers were paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.output import UsageError, echo_stderr, write_result

if TYPE_CHECKING:
    from orchestrator.types.errors import LLMError


def keep_rejected(error: LLMError, output: str | None) -> None:
    """Write the best answer of a failed request to ``OUTPUT.rejected``, else print it on stderr."""
    if not error.attempts_made:
        return
    # Loaded long since: an answer was evaluated. A command that asks nobody does not pay for it.
    from orchestrator.generation.policy import rank  # noqa: PLC0415

    best = min(error.attempts_made, key=lambda one: rank(one.evaluation))
    text = best.evaluation.text or best.answer.text
    count = len(error.attempts_made)
    if output and output != "-":
        try:
            write_result(text, f"{output}.rejected")
        except UsageError as problem:
            echo_stderr(f"orchestrator: {problem}", "red")
        else:
            echo_stderr(f"The best of {count} answers is in {output}.rejected.")
            return
    echo_stderr(f"The best of {count} answers:\n{text}")
