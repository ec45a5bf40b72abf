"""`orchestrator`: one sentence in, a generative model that runs out."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from orchestrator import __version__
from orchestrator.cli.output import INTERRUPTED, INVALID, PROVIDER, USAGE, UsageError, echo_stderr
from orchestrator.cli.rejected import keep_rejected
from orchestrator.ledger.usage import BYS
from orchestrator.types.errors import (
    CacheMissError,
    ConfigError,
    GMNError,
    InvalidOutputError,
    LLMError,
    MissingExtraError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
exit codes: 0 good, 1 the document is invalid or an expectation failed, 2 usage,
            3 a provider failed, 130 interrupted
environment: ORCHESTRATOR_CONFIG names the config file, ORCHESTRATOR_CACHE_DIR the cache
            directory, LLM_PROVIDER forces a provider, NO_COLOR turns colour off
"""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line that names ``--help``; exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def _constraint(text: str) -> tuple[str, int]:
    key, sign, value = text.partition("=")
    if not sign or not value.strip().isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a constraint; write for example max_states=25"
        )
    return key.strip(), int(value)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; builds it without importing any command's code."""
    top = _Parser(
        prog="orchestrator",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"orchestrator {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        return made

    _generation(command)
    _documents(command)
    _observation(command)
    _maintenance(command)
    return top


def _generation(command: Command) -> None:
    generate = command("generate", "turn a description of an agent into a GMN model")
    add = generate.add_argument
    add("prompt", help="the agent, in a sentence; - reads it from stdin")
    add("--agent-type", choices=("explorer", "trader", "coordinator", "general"), default="general")
    bounds = "max_states, max_observations, max_actions, max_factors, max_horizon, max_policies"
    add("--constraint", action="append", type=_constraint, default=[], metavar="KEY=N", help=bounds)
    add("--example", action="append", metavar="FILE", help="a document to show as an example")
    add("--format", choices=("gmn", "json", "pymdp"), default="gmn", help="form of the result")
    _output(add)
    add("--seed", type=int, help="seed sent to the model")
    add("--samples", type=_positive, default=1, metavar="N", help="candidates asked for at once")
    add("--image", action="append", default=[], metavar="FILE", help="a picture of what is meant")
    add("--infer", action="store_true", help="also check what the sentence implies")
    add("--live", action="store_true", help="show the answer as it arrives")
    _routing(generate)
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
    command.add_argument("--cache", choices=cache, help="whether the cache may answer")
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
    add("--to", choices=("gmn", "json"), default="gmn")
    add("-w", "--write", action="store_true", help="rewrite the file")
    _file(command("explain", "say in plain English what a document says").add_argument)
    add = command("simulate", "let the agent act in its own world").add_argument
    _file(add)
    add("--steps", type=_positive, default=20)
    add("--seed", type=int, default=0)
    add("--episodes", type=_positive, default=40, help="episodes for each expectation")
    add("--cross-check", action="store_true", help="compare every step with pymdp")
    _expectations(add)
    refine = command("refine", "change a document as the feedback says")
    add = refine.add_argument
    _file(add)
    add("--feedback", required=True, metavar="TEXT")
    _output(add)
    _routing(refine)
    _expectations(add)


def _observation(command: Command) -> None:
    add = command("models", "deployments and routes, and what was left out and why").add_argument
    add("--modes", action="store_true", help="output modes learned by deployment")
    add("--forget-modes", action="store_true", help="forget the output modes learned so far")
    add = command("plan", "the most that a request can take, before anything is spent").add_argument
    add("prompt", help="the agent, in a sentence")
    add("--agent-type", default="general")
    _route(add)
    add = command("health", "availability, success and latency by deployment").add_argument
    add("--probe", action="store_true", help="ask each deployment for one token")
    add = command("usage", "requests, tokens and cost, from the ledger").add_argument
    add("--by", choices=BYS, default="model")
    add("--since", default="", metavar="WHEN", help="7d, 12h or 2026-11-01")


def _maintenance(command: Command) -> None:
    evaluation = command("eval", "generate every prompt of a file and print the scores")
    add = evaluation.add_argument
    add("--prompts", metavar="FILE", help="YAML; by default the shipped ones")
    add("--parallel", type=_positive, default=4, help="cases at a time")
    add("--plot", metavar="FILE", help="draw the scores, .png or .svg")
    _routing(evaluation)
    add = command("export", "accepted results as conversations for fine-tuning").add_argument
    add("--finetune", required=True, metavar="FILE", help="JSON lines; chat format")
    add("--valid", type=int, default=10, metavar="PERCENT", help="to validate with")
    add("--embedded", action="store_true", help="also those of the embedded provider")
    add = command("cache", "list, compare, export and remove cached answers").add_argument
    actions = ("info", "list", "show", "explain", "clear", "prune", "verify", "export", "import")
    add("action", choices=actions)
    add("--tag", default="", help="with clear: only entries stored with this tag")
    add("names", nargs="*", metavar="KEY|FILE", help="for show, explain, export and import")
    add = command("doctor", "check keys, config, cache and servers; a fix for each").add_argument
    add("--probe", action="store_true", help="ask each deployment whether it takes a schema")
    add = command("demo", "a sentence becomes a running model, offline").add_argument
    add("--steps", type=_positive, default=10)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line, never a traceback."""
    arguments = parser().parse_args(argv)
    try:
        module = import_module(f"orchestrator.cli.{arguments.command}")
        code: int = module.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        echo_stderr("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe (`| head`); without this, Python reports it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, ConfigError, MissingExtraError, ValueError) as error:
        echo_stderr(f"orchestrator: {error}", "red")
        return USAGE
    except (GMNError, CacheMissError) as error:
        echo_stderr(f"orchestrator: {error}", "red")
        return INVALID
    except LLMError as error:
        echo_stderr(f"orchestrator: {error}", "red")
        keep_rejected(error, getattr(arguments, "output", None))
        return INVALID if isinstance(error, InvalidOutputError) else PROVIDER
    return code


if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[str, str], argparse.ArgumentParser]
    Add = Callable[..., argparse.Action]  # an `add_argument`

if __name__ == "__main__":
    sys.exit(main())
