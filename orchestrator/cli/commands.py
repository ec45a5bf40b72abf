"""The command line: every command with its options, built without importing any command's code."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.cli.help import ABOUT, EPILOG, EXAMPLES, CommandParser, Help
from orchestrator.cli.values import constraint, port, positive, seconds, seed
from orchestrator.ledger.usage import BYS
from orchestrator.types.installation import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[str, str], argparse.ArgumentParser]
    Add = Callable[..., argparse.Action]  # an `add_argument`


class _Unasked(CommandParser):
    """Stands for the commands that are not asked for, and keeps none of their options."""

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        del names, options
        return argparse.Action([], "")


def parser(asked: str = "") -> argparse.ArgumentParser:
    """The parser of the whole command line; builds it without importing any command's code.

    Where `asked` is a command it knows no other.
    """
    top = CommandParser(
        prog="orchestrator",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"{DISTRIBUTION} {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    unasked = _Unasked(add_help=False, conflict_handler="resolve")

    def command(name: str, words: str) -> argparse.ArgumentParser:
        if asked in EXAMPLES and name != asked:
            return unasked
        example = f"example: orchestrator {name} {EXAMPLES[name]}".strip()
        made = commands.add_parser(
            name, help=words, description=words, epilog=example, formatter_class=Help
        )
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        return made

    for add in _FAMILIES:
        add(command)
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
    words = "answer on the terminal what the sentence does not say, where questions are left"
    add("--ask", action="store_true", help=words)
    _volume(generate)


def _ask(command: Command) -> None:
    ask = command("ask", "answer a question in words, with sources where it is searched for")
    ask.add_argument("prompt", help="the question; - reads it from stdin")
    _routing(ask)
    _search_mode(ask.add_argument)
    _volume(ask)


def _batch(command: Command) -> None:
    batch = command("batch", "carry out an operation for every row of a file, each exactly once")
    add = batch.add_argument
    add("file", metavar="FILE", help=".jsonl, .csv, .tsv or .parquet, also .gz; - for JSON lines")
    add("-o", "--output", metavar="FILE", help="write a line for each row there; else print them")
    operations = ("generate", "validate", "refine", "structured", "ask")
    add("--operation", choices=operations, default="generate", help="what is done with a row")
    add("--schema", metavar="FILE", help="with structured: the JSON Schema of the answers")
    add("--journal", metavar="FILE", help="what a later run goes on from (OUTPUT.journal)")
    words = "most requests in flight; as limits.parallel where it is not stated"
    add("--concurrency", type=positive, metavar="N", help=words)
    words = (
        "live: asked here; provider: first questions go through the provider's batch endpoints, at"
        " half price; dbos: by every orchestrator worker of the same database (extra dbos)"
    )
    add("--engine", choices=("live", "provider", "dbos"), default="live", help=words)
    words = "with provider: most rows in one file there (10000)"
    add("--batch-size", type=positive, metavar="N", help=words)
    _database(add)
    words = "with dbos: most rows that begin within a minute"
    add("--rate", type=positive, metavar="N", help=words)
    words = "the most that all runs may take: 5usd, 200000tokens or 1000calls"
    add("--budget", metavar="MOST", help=words)
    add("--retry-failed", action="store_true", help="ask again for the rows that failed")
    add("--ordered", action="store_true", help="write rows in the order of the input")
    add("--carry", action="store_true", help="copy fields that the operation does not know")
    _routing(batch)
    batch.add_argument("-q", "--quiet", action="store_true", help="no progress")


def _worker(command: Command) -> None:
    words = "answer rows of batches that other machines gather with --engine dbos"
    worker = command("worker", words)
    _database(worker.add_argument)


def _database(add: Add) -> None:
    words = "postgresql://USER@HOST/NAME, where rows wait; else ORCHESTRATOR_DATABASE"
    add("--database", default="", metavar="URL", help=words)


def _search_mode(add: Add) -> None:
    words = "look for current information (alone: always); as configured where it is not stated"
    modes = ("auto", "always", "off", "tool")
    add("--search", nargs="?", const="always", choices=modes, help=words)


def _request(command: argparse.ArgumentParser) -> None:
    """What shapes a request for a model, and what it can cost."""
    add = command.add_argument
    add("prompt", help="the agent, in a sentence; - reads it from stdin")
    types = ("explorer", "trader", "coordinator", "general")
    add("--agent-type", choices=types, default="general", help="kind of agent")
    bounds = "max_states, max_observations, max_actions, max_factors, max_horizon, max_policies"
    add("--constraint", action="append", type=constraint, default=[], metavar="KEY=N", help=bounds)
    add("--example", action="append", metavar="FILE", help="a document to show as an example")
    add("--seed", type=int, help="seed sent to the model")
    add("--samples", type=positive, default=1, metavar="N", help="candidates asked for at once")
    add("--image", action="append", default=[], metavar="FILE", help="a picture of what is meant")
    add("--infer", action="store_true", help="also check what the sentence implies")
    _search_mode(add)
    _routing(command)
    _expectations(add)


def _file(add: Add) -> None:
    add("file", metavar="FILE", help="a document, or - for stdin")


#: Kinds of documents that are read: those of `gmn.imports`, which no parser needs.
KINDS = ("text", "json", "sections", "graph", "flat_pomdp", "arrays", "gnn", "bundle", "pomdp")


#: Forms that documents are written in, as those of `gmn.imports.FORMS`.
FORMS = ("gmn", "json", "pymdp", "pymdp-script", "gnn", "pomdp")


def _kind(add: Add) -> None:
    words = "what the document is, where it can be read as several kinds"
    add("--as", dest="kind", choices=KINDS, default="", metavar="KIND", help=words)


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
    words = "findings as annotations of GitHub's workflows, or as SARIF 2.1.0"
    add("--report", choices=("github", "sarif"), default="", help=words)
    add("--request", metavar="SENTENCE", help="say how much of that sentence each document fits")
    add("-v", "--verbose", action="store_true", help="infos as well")
    _kind(add)
    add = command("import", "read what another tool wrote, and say how it was read").add_argument
    _file(add)
    _kind(add)
    _output(add)
    add = command("format", "print a document in canonical form, or in another").add_argument
    _file(add)
    _kind(add)
    add("--check", action="store_true", help="only say whether it is canonical")
    add("--to", choices=FORMS, default="gmn", help="form of the result")
    add("-w", "--write", action="store_true", help="rewrite the file")
    add = command("diff", "what one model says otherwise than another").add_argument
    _file(add)
    add("other", metavar="OTHER", help="the document to compare with it")
    add("--steps", type=positive, default=20, help="steps over which both believe and act")
    add("--seed", type=seed, default=0, help="seed of what they observe")
    add = command("explain", "say in plain English what a document or a code says").add_argument
    add("file", metavar="FILE|CODE", help="a document, - for stdin, or a code such as GMN201")
    _kind(add)
    add("--all", action="store_true", help="every line of long tables")
    _drawing(command)
    add = command("library", "list the curated models, or print one").add_argument
    add("name", nargs="?", default="", metavar="NAME", help="the model to print")
    _output(add)
    _simulation(command)
    _change(command)


def _drawing(command: Command) -> None:
    add = command("draw", "draw a model: graph, tables, preferences, an episode").add_argument
    _file(add)
    _kind(add)
    words = ".svg, .png, .pdf, or .mmd for Mermaid; without it SVG on stdout"
    add("-o", "--output", metavar="FILE", help=words)
    words = "what is drawn; may be repeated (default: graph, tables and preferences)"
    parts = ("graph", "tables", "preferences")
    add("--part", action="append", default=[], choices=parts, help=words)
    add("--trace", action="store_true", help="also an episode: beliefs, actions and utilities")
    _episode(add)


def _simulation(command: Command) -> None:
    add = command("simulate", "let the agent act in its own world, or in another").add_argument
    _file(add)
    _kind(add)
    _episode(add)
    words = "episodes for each expectation or comparison"
    add("--episodes", type=positive, default=40, help=words)
    add("--why", action="store_true", help="why each action was taken")
    add("--plot", metavar="FILE", help="draw the episode, .svg, .png or .pdf")
    worlds = ("windy-grid", "drifting-context", "unreliable-cue")
    add("--world", choices=worlds, default="", help="a world that the model does not know")
    add("--cross-check", action="store_true", help="compare every step with pymdp")
    words = "compare the utility of the episodes with it; may be repeated"
    others = ("optimal", "random", "greedy")
    add("--compare", action="append", default=[], choices=others, help=words)
    _expectations(add)


def _episode(add: Add) -> None:
    add("--steps", type=positive, help="steps of the episode (default: 20); of a bundle its own")
    add("--seed", type=seed, help="seed of the simulation (default: 0); of a bundle its own")


def _change(command: Command) -> None:
    refine = command("refine", "change a document as feedback says, or learn it from a log")
    add = refine.add_argument
    _file(add)
    _kind(add)
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
    add = command("models", "what can be called, what it can, and what it costs").add_argument
    words = "show: the facts of NAME and who says so; probe: ask it; sync: read a catalogue in"
    actions = ("list", "show", "probe", "sync")
    add("action", nargs="?", choices=actions, default="list", help=words)
    add("name", nargs="?", default="", metavar="NAME", help="a model group, deployment or model")
    words = "only what is known to have all of these, as vision,response_schema"
    add("--capable", default="", metavar="NAMES", help=words)
    add("--min-context", type=positive, metavar="N", help="only what reads so many tokens")
    add("--sort", choices=("cost", "context", "name"), help="a table of limits and prices")
    add("--all", action="store_true", dest="everywhere", help="every model of LiteLLM's table")
    add("--catalog", metavar="FILE", help="with sync: a file of https://models.dev/api.json")
    add("--plan", action="store_true", help="with probe: only say what it can take at most")
    add("--modes", action="store_true", help="output modes learned by deployment")
    add("--forget-modes", action="store_true", help="forget the output modes learned so far")
    add = command("search", "what search engines find, as they say it").add_argument
    add("query", help="what to search for")
    words = "pages at most, 1 to 20; as configured where it is not stated"
    add("--max-results", type=positive, metavar="N", help=words)
    add("--engine", default="", metavar="NAME", help="ask this one alone, such as duckduckgo")
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
    add("--parallel", type=positive, default=4, help="cases at a time")
    add("--plot", metavar="FILE", help="draw the scores, .svg, .png or .pdf")
    add(
        "--round-trip",
        action="store_true",
        help="generate every model again from its explanation, and compare what both do",
    )
    _routing(evaluation)
    _volume(evaluation)
    add = command("export", "a document in another form, or accepted results to train").add_argument
    add("file", metavar="FILE", nargs="?", default="", help="with --to: a document, or - for stdin")
    _kind(add)
    words = "form of the result; bundle: the model with one episode of it"
    add("--to", choices=(*FORMS, "bundle"), help=words)
    _output(add)
    _episode(add)
    add("--finetune", metavar="FILE", help="accepted results as JSON lines; chat format")
    add("--valid", type=int, default=10, metavar="PERCENT", help="to validate with")
    add("--embedded", action="store_true", help="also those of the embedded provider")
    add = command("cache", "list, compare, export and remove cached answers").add_argument
    actions = ("info", "list", "show", "explain", "clear", "prune", "verify", "export", "import")
    add("action", choices=actions)
    add("--tag", default="", help="with clear: only entries stored with this tag")
    add("--last", type=positive, default=1000, metavar="N", help="with list: how many")
    add("names", nargs="*", metavar="KEY|FILE", help="for show, explain, export and import")
    add = command("runs", "list what was asked, and show every answer of a run").add_argument
    add("action", choices=("list", "show"))
    add("id", nargs="?", default="", metavar="ID", help="with show: the run, or how its ID begins")
    add("--last", type=positive, default=20, metavar="N", help="with list: how many")
    add = command("doctor", "check keys, config, cache and servers; a fix for each").add_argument
    add("--probe", action="store_true", help="ask each deployment what it can")
    add = command("demo", "a sentence becomes a running model, offline").add_argument
    add("--steps", type=positive, default=10, help="simulated steps")
    add = command("completion", "print a script that completes commands and options").add_argument
    add("shell", choices=("bash", "zsh", "fish"))


def _service(command: Command) -> None:
    add = command("serve", "serve agents, models and the language over HTTP").add_argument
    add("--host", default="127.0.0.1", help="address to listen on; any but loopback demands keys")
    add("--port", type=port, default=8080, help="0 takes a free one")
    add("--keys", action="store_true", help="demand keys on loopback, too")
    add("--open", action="store_true", help="open the page in a browser")
    add("--mcp", action="store_true", help="serve the Model Context Protocol on stdin and stdout")
    add = command("lsp", "serve an editor: diagnostics, completion, quick fixes").add_argument
    words = "speak over stdin and stdout, which it always does; many editors pass it"
    add("--stdio", action="store_true", help=words)
    add = command("keys", "make, list and revoke keys of tenants").add_argument
    add("action", choices=("create", "list", "revoke"))
    add("id", nargs="?", default="", metavar="ID", help="with revoke: the key")
    add("--tenant", default="", metavar="NAME", help="with create: whose key it is")
    words = "the most that all runs may take: 5usd, 200000tokens or 1000calls"
    add("--budget", default="", metavar="MONEY", help="with create: for example 5usd/day")
    add("--rpm", type=positive, metavar="N", help="with create: most requests a minute")
    add = command("memory", "show and remove what is kept of conversations").add_argument
    words = "audit: list conversations, or what is kept of ID and why; forget: remove ID"
    add("action", choices=("audit", "forget"), help=words)
    add("id", nargs="?", default="", metavar="ID", help="a conversation, as its session_id")
    add("--tenant", default="", metavar="NAME", help="whose it is; else that of no key")
    add("--last", type=positive, default=100, metavar="N", help="how many conversations to list")
    add = command("client", "send one message to a running service").add_argument
    add("--message", required=True, metavar="TEXT", help="what to say")
    add("--url", default="http://127.0.0.1:8080", help="where the service is")
    add("--persona-id", metavar="NAME", help="who answers")
    add("--user-id", default="anonymous", metavar="NAME", help="who asks")
    add("--session-id", metavar="ID", help="the conversation; else the newest goes on")
    add("--model", metavar="NAME", help="route or model")
    words = "direct: a model alone, without persona and memory"
    add("--mode", choices=("interact", "direct"), default="interact", help=words)
    add("--system", default="", metavar="TEXT", help="with direct: the system message")
    add("--idempotency-key", metavar="KEY", help="sent twice with it, a message is one turn")
    add("--timeout", type=seconds, default=300.0, metavar="S", help="seconds to wait")


_FAMILIES = (
    _generation, _ask, _batch, _worker, _documents, _observation, _maintenance, _service,
)  # fmt: skip
