"""`orchestrator`: one sentence in, a generative model that runs out."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from orchestrator import __version__
from orchestrator.cli.output import INTERRUPTED, INVALID, PROVIDER, USAGE, UsageError, tell
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
    """Complains in one line and says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def _constraint(text: str) -> tuple[str, int]:
    key, sign, value = text.partition("=")
    if not sign or not value.strip().isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no constraint; write for example max_states=25"
        )
    return key.strip(), int(value)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The whole command line; no command's code is imported for it."""
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

    _asking(command("generate", "turn a description of an agent into a GMN model"))
    _documents(command)
    _around(command)
    return top


def _asking(generate: argparse.ArgumentParser) -> None:
    generate.add_argument("prompt", help="the agent, in a sentence; - reads it from stdin")
    types = ("explorer", "trader", "coordinator", "general")
    generate.add_argument("--agent-type", choices=types, default="general")
    generate.add_argument(
        "--constraint",
        action="append",
        type=_constraint,
        default=[],
        metavar="KEY=N",
        help="max_states, max_observations, max_actions, max_factors, max_horizon, max_policies",
    )
    generate.add_argument(
        "--example", action="append", metavar="FILE", help="a document to show as an example"
    )
    generate.add_argument(
        "--format", choices=("gmn", "json", "pymdp"), default="gmn", help="form of the result"
    )
    generate.add_argument("-o", "--output", metavar="FILE", help="write the result there")
    generate.add_argument("--seed", type=int, help="seed sent to the model")
    generate.add_argument(
        "--samples", type=_positive, default=1, metavar="N", help="candidates asked for at once"
    )
    generate.add_argument(
        "--image", action="append", default=[], metavar="FILE", help="a picture of what is meant"
    )
    generate.add_argument(
        "--infer", action="store_true", help="hold it to what the sentence implies as well"
    )
    generate.add_argument("--live", action="store_true", help="show the answer while it comes")
    _routing(generate)
    _expecting(generate)


def _routing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--route", metavar="NAME", help="route or model group to ask")
    command.add_argument("--provider", metavar="NAME", help="force a provider, such as offline")
    command.add_argument(
        "--cache", choices=("use", "refresh", "off"), help="whether the cache may answer"
    )
    volume = command.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="no progress, no report")
    volume.add_argument("-v", "--verbose", action="store_true", help="more of both")


def _expecting(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="TEXT",
        help='behaviour to simulate, for example "cell=r4c4 within 12 in 80%%"',
    )


def _documents(command: Command) -> None:
    validate = command("validate", "check documents; diagnostics jump in editors")
    validate.add_argument("files", nargs="+", metavar="FILE", help="a document, or - for stdin")
    validate.add_argument("--no-repair", action="store_true", help="report, mend nothing")
    validate.add_argument("-v", "--verbose", action="store_true", help="infos as well")
    formatting = command("format", "print a document in canonical form")
    formatting.add_argument("file", metavar="FILE", help="a document, or - for stdin")
    formatting.add_argument("--check", action="store_true", help="only say whether it is canonical")
    formatting.add_argument("--to", choices=("gmn", "json"), default="gmn")
    formatting.add_argument("-w", "--write", action="store_true", help="rewrite the file")
    explain = command("explain", "say in plain English what a document says")
    explain.add_argument("file", metavar="FILE", help="a document, or - for stdin")
    simulate = command("simulate", "let the agent act in its own world")
    simulate.add_argument("file", metavar="FILE", help="a document, or - for stdin")
    simulate.add_argument("--steps", type=_positive, default=20)
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument(
        "--episodes", type=_positive, default=40, help="episodes for each expectation"
    )
    simulate.add_argument(
        "--cross-check", action="store_true", help="walk the same steps with pymdp and compare"
    )
    _expecting(simulate)
    refine = command("refine", "change a document as the feedback says")
    refine.add_argument("file", metavar="FILE", help="a document, or - for stdin")
    refine.add_argument("--feedback", required=True, metavar="TEXT")
    refine.add_argument("-o", "--output", metavar="FILE", help="write the result there")
    _routing(refine)
    _expecting(refine)


def _around(command: Command) -> None:
    models = command("models", "what can be called, what cannot and why, who serves which route")
    models.add_argument("--modes", action="store_true", help="output modes learned by deployment")
    models.add_argument("--forget-modes", action="store_true", help="learn the output modes anew")
    plan = command("plan", "the most that a request can take, before anything is spent")
    plan.add_argument("prompt", help="the agent, in a sentence")
    plan.add_argument("--agent-type", default="general")
    plan.add_argument("--route", metavar="NAME")
    plan.add_argument("--provider", metavar="NAME")
    health = command("health", "how every provider and deployment fares")
    health.add_argument("--probe", action="store_true", help="ask each deployment for one token")
    usage = command("usage", "what was asked and what it took, from the ledger")
    usage.add_argument("--by", choices=BYS, default="model")
    usage.add_argument("--since", default="", metavar="WHEN", help="7d, 12h or 2026-11-01")
    evaluation = command("eval", "how well prompts, models and the loop do; asks for every prompt")
    evaluation.add_argument("--prompts", metavar="FILE", help="YAML; by default the shipped ones")
    evaluation.add_argument("--parallel", type=_positive, default=4, help="cases at a time")
    evaluation.add_argument("--plot", metavar="FILE", help="draw the scores, .png or .svg")
    _routing(evaluation)
    export = command("export", "what was asked and accepted, as conversations for fine-tuning")
    export.add_argument("--finetune", required=True, metavar="FILE", help="JSON lines; chat format")
    export.add_argument("--valid", type=int, default=10, metavar="PERCENT", help="to validate with")
    export.add_argument("--embedded", action="store_true", help="the embedded provider's as well")
    cache = command("cache", "look at what is kept, compare, mend, carry over, forget")
    actions = ("info", "list", "show", "explain", "clear", "prune", "verify", "export", "import")
    cache.add_argument("action", choices=actions)
    cache.add_argument("--tag", default="", help="clear only what was kept under it")
    cache.add_argument("names", nargs="*", metavar="KEY|FILE", help="what show and the like take")
    doctor = command("doctor", "look over keys, config, cache, local servers, a fix for each")
    doctor.add_argument(
        "--probe", action="store_true", help="ask each deployment whether it takes a schema"
    )
    demo = command("demo", "a sentence becomes a running model, with no key and no network")
    demo.add_argument("--steps", type=_positive, default=10)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line, never a traceback."""
    arguments = parser().parse_args(argv)
    try:
        module = import_module(f"orchestrator.cli.{arguments.command}")
        code: int = module.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the result has seen enough; Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, ConfigError, MissingExtraError, ValueError) as error:
        tell(f"orchestrator: {error}", "red")
        return USAGE
    except (InvalidOutputError, GMNError, CacheMissError) as error:
        tell(f"orchestrator: {error}", "red")
        return INVALID
    except LLMError as error:
        tell(f"orchestrator: {error}", "red")
        return PROVIDER
    return code


if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[str, str], argparse.ArgumentParser]

if __name__ == "__main__":
    sys.exit(main())
