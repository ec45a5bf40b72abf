"""How commands explain themselves: the form of help and of a wrong argument, and examples."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from orchestrator.cli.output import UsageError, echo
from orchestrator.parsing.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the program is, in its help.
ABOUT = "`orchestrator`: one sentence in, a generative model that runs out."
EPILOG = """\
exit codes: 0 good, 1 the document is invalid or an expectation failed, 2 usage,
            3 a provider failed, 4 the result cannot be written, 5 the budget of a batch
            is spent, 130 interrupted
environment: ORCHESTRATOR_CONFIG names the config file, ORCHESTRATOR_CACHE_DIR the cache
            directory, LLM_PROVIDER forces a provider, NO_COLOR turns colour off
"""


class CommandParser(argparse.ArgumentParser):
    """Reports a wrong argument in one line that names ``--help``; exit code 2."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise UsageError(f"{message}{end} Try: {self.prog} --help")

    def parse_known_args(  # type: ignore[override]  # argparse's overloads say the same
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """argparse's own; an unknown argument is refused by its command, which knows its options.

        Raises: UsageError.
        """
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = nearest(unknown[0].partition("=")[0], list(self._option_string_actions))
            hint = f"; did you mean {near}?" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """argparse's own check, and the choice that was probably meant."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = nearest(str(value), [str(one) for one in action.choices or ()])
            if not near:
                raise
            words = f"{value!r} is not a choice; did you mean {near!r}?"
            raise argparse.ArgumentError(action, words) from error

    def print_help(self, file: object = None) -> None:
        del file  # `echo` knows what stdout takes
        echo(self.format_help(), end="")


class Help(argparse.RawDescriptionHelpFormatter):
    """Says the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_said = action.default in (None, False, "", argparse.SUPPRESS) or action.default == []
        return action.help if is_said else f"{action.help} (default: %(default)s)"


#: What follows the name of a command, to start from.
EXAMPLES = {
    "generate": '"a thermostat for a cold room" -o model.gmn',
    "ask": '"What is the newest release of Python?" --search auto',
    "batch": "prompts.jsonl -o models.jsonl --budget 5usd",
    "worker": "--database postgresql://lab@db.example.org/batches",
    "validate": "model.gmn",
    "import": "model.json -o model.gmn",
    "format": "--write model.gmn",
    "diff": "before.gmn after.gmn",
    "explain": "model.gmn",
    "draw": "model.gmn -o model.svg",
    "library": "tmaze -o model.gmn",
    "simulate": 'model.gmn --expect "cell=r4c4 within 12 in 80%"',
    "refine": 'model.gmn --feedback "look 3 steps ahead" -o longer.gmn',
    "search": '"LiteLLM release notes" --max-results 3',
    "models": "--capable vision,response_schema --sort cost",
    "plan": '"a thermostat for a cold room" --samples 3',
    "health": "--probe",
    "usage": "--by tenant --since 7d",
    "eval": "--route fast --plot scores.svg",
    "export": "model.gmn --to bundle -o model.json",
    "cache": "list",
    "runs": "show 3f2a",
    "doctor": "--probe",
    "serve": "--port 8080",
    "lsp": "--stdio",
    "keys": "create --tenant lab --budget 5usd/day --rpm 60",
    "memory": "audit",
    "client": '--message "hello" --persona-id cherry',
    "demo": "--steps 10",
    "completion": "bash > ~/.local/share/bash-completion/completions/orchestrator",
}
