"""`orchestrator`: one sentence in, a generative model that runs out."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from orchestrator import __version__
from orchestrator.cli.output import (
    GOOD,
    INTERRUPTED,
    INVALID,
    PROVIDER,
    UNWRITABLE,
    USAGE,
    OutputError,
    UsageError,
    echo,
    echo_json,
    echo_stderr,
    require_stdout,
    silence,
)
from orchestrator.cli.rejected import error_as_json, keep_rejected
from orchestrator.ledger.usage import BYS
from orchestrator.types.errors import (
    CacheMissError,
    GMNError,
    InvalidOutputError,
    LLMError,
    OrchestratorError,
)
from orchestrator.types.installation import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
exit codes: 0 good, 1 the document is invalid or an expectation failed, 2 usage,
            3 a provider failed, 4 the result cannot be written, 130 interrupted
environment: ORCHESTRATOR_CONFIG names the config file, ORCHESTRATOR_CACHE_DIR the cache
            directory, LLM_PROVIDER forces a provider, NO_COLOR turns colour off
"""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line that names ``--help``; exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. Try: {self.prog} --help")

    def print_help(self, file: object = None) -> None:
        del file  # `echo` knows what stdout takes
        echo(self.format_help(), end="")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_said = action.default in (None, False, "", argparse.SUPPRESS) or action.default == []
        return action.help if is_said else f"{action.help} (default: %(default)s)"


#: What follows the name of a command, to start from.
_EXAMPLES = {
    "generate": '"a thermostat for a cold room" -o model.gmn',
    "validate": "model.gmn",
    "format": "--write model.gmn",
    "explain": "model.gmn",
    "simulate": 'model.gmn --expect "cell=r4c4 within 12 in 80%"',
    "refine": 'model.gmn --feedback "look 3 steps ahead" -o longer.gmn',
    "models": "--modes",
    "plan": '"a thermostat for a cold room" --samples 3',
    "health": "--probe",
    "usage": "--by tenant --since 7d",
    "eval": "--route fast --plot scores.svg",
    "export": "--finetune train.jsonl",
    "cache": "list",
    "runs": "show 3f2a",
    "doctor": "--probe",
    "demo": "--steps 10",
    "completion": "bash > ~/.local/share/bash-completion/completions/orchestrator",
}


def _constraint(text: str) -> tuple[str, int]:
    key, sign, value = text.partition("=")
    if not sign or not value.strip().isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a constraint; write for example max_states=25"
        )
    return key.strip(), int(value)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; builds it without importing any command's code."""
    top = _Parser(
        prog="orchestrator",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"{DISTRIBUTION} {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, words: str) -> argparse.ArgumentParser:
        example = f"example: orchestrator {name} {_EXAMPLES[name]}".strip()
        made = commands.add_parser(
            name, help=words, description=words, epilog=example, formatter_class=_Help
        )
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        return made

    _generation(command)
    _documents(command)
    _observation(command)
    _maintenance(command)
    return top


def _generation(command: Command) -> None:
    generate = command("generate", "turn a description of an agent into a GMN model")
    _request(generate)
    add = generate.add_argument
    words = "print the most that this can take, as the command plan does, and ask nothing"
    add("--plan", action="store_true", help=words)
    _output(add)
    add("--format", choices=("gmn", "json", "pymdp"), default="gmn", help="form of the result")
    add("--live", action="store_true", help="show the answer as it arrives")
    _volume(generate)


def _request(command: argparse.ArgumentParser) -> None:
    """What shapes a request for a model, and what it can cost."""
    add = command.add_argument
    add("prompt", help="the agent, in a sentence; - reads it from stdin")
    types = ("explorer", "trader", "coordinator", "general")
    add("--agent-type", choices=types, default="general", help="kind of agent")
    bounds = "max_states, max_observations, max_actions, max_factors, max_horizon, max_policies"
    add("--constraint", action="append", type=_constraint, default=[], metavar="KEY=N", help=bounds)
    add("--example", action="append", metavar="FILE", help="a document to show as an example")
    add("--seed", type=int, help="seed sent to the model")
    add("--samples", type=_positive, default=1, metavar="N", help="candidates asked for at once")
    add("--image", action="append", default=[], metavar="FILE", help="a picture of what is meant")
    add("--infer", action="store_true", help="also check what the sentence implies")
    _routing(command)
    _expectations(add)


def _file(add: Add) -> None:
    add("file", metavar="FILE", help="a document, or - for stdin")


def _output(add: Add) -> None:
    add("-o", "--output", metavar="FILE", help="write the result there")


def _route(add: Add) -> None:
    add("--route", metavar="NAME", help="route or model group to ask")
    add("--provider", metavar="NAME", help="force a provider, such as offline")


def _routing(command: argparse.ArgumentParser) -> None:
    _route(command.add_argument)
    cache = ("use", "refresh", "off")
    words = "whether the cache may answer; as configured where it is not stated"
    command.add_argument("--cache", choices=cache, help=words)


def _volume(command: argparse.ArgumentParser) -> None:
    volume = command.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="no progress, no report")
    volume.add_argument("-v", "--verbose", action="store_true", help="more of both")


def _expectations(add: Add) -> None:
    words = 'behaviour to simulate, for example "cell=r4c4 within 12 in 80%%"'
    add("--expect", action="append", default=[], metavar="TEXT", help=words)


def _documents(command: Command) -> None:
    add = command("validate", "check documents; diagnostics jump in editors").add_argument
    add("files", nargs="+", metavar="FILE", help="a document, or - for stdin")
    add("--no-repair", action="store_true", help="report errors without repairing any")
    add("-v", "--verbose", action="store_true", help="infos as well")
    add = command("format", "print a document in canonical form").add_argument
    _file(add)
    add("--check", action="store_true", help="only say whether it is canonical")
    add("--to", choices=("gmn", "json"), default="gmn", help="form of the result")
    add("-w", "--write", action="store_true", help="rewrite the file")
    add = command("explain", "say in plain English what a document says").add_argument
    _file(add)
    add("--all", action="store_true", help="every line of long tables")
    _simulation(command)
    _change(command)


def _simulation(command: Command) -> None:
    add = command("simulate", "let the agent act in its own world, or in another").add_argument
    _file(add)
    add("--steps", type=_positive, default=20, help="steps of the episode")
    add("--seed", type=_seed, default=0, help="seed of the simulation")
    words = "episodes for each expectation or comparison"
    add("--episodes", type=_positive, default=40, help=words)
    add("--why", action="store_true", help="why each action was taken")
    add("--plot", metavar="FILE", help="draw the episode, .png, .svg or .pdf")
    worlds = ("windy-grid", "drifting-context", "unreliable-cue")
    add("--world", choices=worlds, default="", help="a world that the model does not know")
    add("--cross-check", action="store_true", help="compare every step with pymdp")
    words = "compare the utility of the episodes with it; may be repeated"
    others = ("optimal", "random", "greedy")
    add("--compare", action="append", default=[], choices=others, help=words)
    _expectations(add)


def _change(command: Command) -> None:
    refine = command("refine", "change a document as feedback says, or learn it from a log")
    add = refine.add_argument
    _file(add)
    source = refine.add_mutually_exclusive_group(required=True)
    words = "what to change; - reads it from stdin"
    source.add_argument("--feedback", metavar="TEXT", help=words)
    words = "a log to learn from, CSV or JSON lines; local and free"
    source.add_argument("--data", metavar="LOG", help=words)
    words = "with --data: learn this table too, by its observation or state"
    add("--learn", action="append", default=[], metavar="NAME", help=words)
    _output(add)
    _routing(refine)
    _volume(refine)
    _expectations(add)


def _observation(command: Command) -> None:
    add = command("models", "deployments and routes, and what was left out and why").add_argument
    add("--modes", action="store_true", help="output modes learned by deployment")
    add("--forget-modes", action="store_true", help="forget the output modes learned so far")
    _request(command("plan", "the most that a request can take, before anything is spent"))
    add = command("health", "availability, success and latency by deployment").add_argument
    add("--probe", action="store_true", help="ask each deployment for one token")
    add = command("usage", "requests, tokens and cost, from the ledger").add_argument
    add("--by", choices=BYS, default="model", help="what the sums are of")
    add("--since", default="", metavar="WHEN", help="7d, 12h or 2026-11-01")


def _maintenance(command: Command) -> None:
    evaluation = command("eval", "generate every prompt of a file and print the scores")
    add = evaluation.add_argument
    add("--prompts", metavar="FILE", help="YAML; by default the shipped ones")
    add("--parallel", type=_positive, default=4, help="cases at a time")
    add("--plot", metavar="FILE", help="draw the scores, .png, .svg or .pdf")
    _routing(evaluation)
    _volume(evaluation)
    add = command("export", "accepted results as conversations for fine-tuning").add_argument
    add("--finetune", required=True, metavar="FILE", help="JSON lines; chat format")
    add("--valid", type=int, default=10, metavar="PERCENT", help="to validate with")
    add("--embedded", action="store_true", help="also those of the embedded provider")
    add = command("cache", "list, compare, export and remove cached answers").add_argument
    actions = ("info", "list", "show", "explain", "clear", "prune", "verify", "export", "import")
    add("action", choices=actions)
    add("--tag", default="", help="with clear: only entries stored with this tag")
    add("names", nargs="*", metavar="KEY|FILE", help="for show, explain, export and import")
    add = command("runs", "list what was asked, and show every answer of a run").add_argument
    add("action", choices=("list", "show"))
    add("id", nargs="?", default="", metavar="ID", help="with show: the run, or how its ID begins")
    add("--last", type=_positive, default=20, metavar="N", help="with list: how many")
    add = command("doctor", "check keys, config, cache and servers; a fix for each").add_argument
    add("--probe", action="store_true", help="ask each deployment whether it takes a schema")
    add = command("demo", "a sentence becomes a running model, offline").add_argument
    add("--steps", type=_positive, default=10, help="simulated steps")
    add = command("completion", "print a script that completes commands and options").add_argument
    add("shell", choices=("bash", "zsh", "fish"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line, never a traceback.

    Raises: SystemExit: with code 0 after ``--help`` and ``--version``.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(given)
    except BrokenPipeError:  # the reader closed the pipe (`| head`): it has what it wanted
        silence(sys.stdout)
        return GOOD
    except OutputError as error:
        silence(sys.stdout)
        echo_stderr(f"orchestrator: {error}", "red")
        return UNWRITABLE


def _run(given: Sequence[str]) -> int:
    output: str | None = None
    is_json = "--json" in given
    try:
        arguments = parser().parse_args(given)
    except UsageError as error:
        echo_stderr(f"orchestrator: {error}", "red")
        raise SystemExit(_failed(error, USAGE, is_json=is_json)) from None
    try:
        output, is_json = getattr(arguments, "output", None), arguments.json
        if is_json or output is None:
            require_stdout()
        code: int = import_module(f"orchestrator.cli.{arguments.command}").run(arguments)
    except KeyboardInterrupt as error:
        echo_stderr("interrupted")
        return _failed(error, INTERRUPTED, is_json=is_json)
    except (OrchestratorError, ValueError, OSError) as error:
        if isinstance(error, OutputError | BrokenPipeError):
            raise
        echo_stderr(f"orchestrator: {error}", "red", lines=isinstance(error, InvalidOutputError))
        if isinstance(error, LLMError):
            keep_rejected(error, output)
        code = next((code for kind, code in _CODES if isinstance(error, kind)), USAGE)
        return _failed(error, code, is_json=is_json)
    return code


def _failed(error: BaseException, code: int, *, is_json: bool) -> int:
    if is_json:
        echo_json(error_as_json(error, code))
    return code


#: Exit codes of errors, the first that fits; of any other it is `USAGE`.
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidOutputError, INVALID),
    (GMNError, INVALID),
    (CacheMissError, INVALID),
    (LLMError, PROVIDER),
    (OSError, UNWRITABLE),
)


if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[str, str], argparse.ArgumentParser]
    Add = Callable[..., argparse.Action]  # an `add_argument`
