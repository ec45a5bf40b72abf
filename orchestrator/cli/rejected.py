"""What is left of a request that failed after answers were paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.files import write_result
from orchestrator.cli.output import OutputError, echo_stderr

if TYPE_CHECKING:
    from orchestrator.types.errors import LLMError
    from orchestrator.types.requests import Attempt


def keep_rejected(error: LLMError, output: str | None) -> None:
    """Write the best answer of a failed request to ``OUTPUT.rejected``, else print it on stderr;
    say where the others are."""
    if not error.attempts:
        return
    count = len(error.attempts)
    text = best_text(error)
    is_written = False
    # Beside a device, such as /dev/null, there is no place for a file.
    if output and output != "-" and (Path(output).is_file() or not Path(output).exists()):
        try:
            write_result(text, f"{output}.rejected")
            is_written = True
            echo_stderr(f"The best of {count} answers is in {output}.rejected.")
        except OutputError as problem:
            echo_stderr(f"orchestrator: {problem}", "red")
    if not is_written:
        echo_stderr(f"The best of {count} answers:\n{text}", lines=True)
    if error.run_id:
        echo_stderr(f"See all of them: orchestrator runs show {error.run_id}")


def best_text(error: LLMError) -> str:
    """The text of the answer that is nearest to a valid one."""
    # Loaded long since: an answer was evaluated. A command that asks nobody does not pay for it.
    from orchestrator.generation.policy import rank  # noqa: PLC0415

    best: Attempt[Any] = min(error.attempts, key=lambda one: rank(one.evaluation))
    return best.evaluation.text or best.answer.said


def error_as_json(error: BaseException, exit_code: int) -> dict[str, object]:
    """What ``--json`` prints in place of a result, with every answer that was paid for."""
    made: dict[str, object] = {
        "kind": type(error).__name__, "message": str(error), "exit_code": exit_code
    }  # fmt: skip
    report = getattr(error, "report", None)
    if report is not None:
        made["report"] = report.as_dict()
    if attempts := getattr(error, "attempts", ()):
        made["run"] = getattr(error, "run_id", "") or None
        made["answers"] = [
            {
                "purpose": one.purpose,
                "reason": one.reason,
                "kind": one.evaluation.kind,
                "deployment": one.answer.deployment,
                "findings": [d.as_dict() for d in one.evaluation.report.diagnostics],
                "text": one.answer.said,
            }
            for one in attempts
        ]
    return {"error": made}
