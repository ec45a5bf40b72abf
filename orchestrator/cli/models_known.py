"""`orchestrator models` about facts: which model can what, what it costs, and who says so."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, PROVIDER, UsageError, echo_result, echo_stderr, table
from orchestrator.config.settings import Config, cache_directory
from orchestrator.models.catalogue import CATALOGUE_FILE, read_catalogue
from orchestrator.models.configured import ConfiguredModels
from orchestrator.models.deployments import deployments_of
from orchestrator.models.facts import ABILITIES, PRICES
from orchestrator.models.known import KnownFacts
from orchestrator.models.retirement import retirement_of, today_utc
from orchestrator.models.routes import RouteTable
from orchestrator.models.wishes import Shelf, wish_of
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from orchestrator.models.deployment import Deployment, SkippedDeployment
    from orchestrator.models.facts import Fact, Facts, FactValue
    from orchestrator.models.profiles import LLMProfile

_MOST_NAMED = 3  # of what a catalogue leaves out; --json has all


def run(arguments: argparse.Namespace) -> int:
    """Print a table of models, the facts of one, or read a catalogue in."""
    config = Config.load(None, os.environ)
    if arguments.action == "sync":
        return _sync(arguments, config)
    if arguments.action == "probe":
        return _probe(arguments, config)
    known = KnownFacts.of_config(config, os.environ)
    if arguments.action == "show":
        return _show(arguments, config, known)
    return _listed(arguments, config, known)


def _sync(arguments: argparse.Namespace, config: Config) -> int:
    if not arguments.catalog:
        raise UsageError("models sync needs --catalog FILE, saved from https://models.dev/api.json")
    found = read_catalogue(Path(arguments.catalog))
    path = cache_directory(config.orchestrator.cache, os.environ) / CATALOGUE_FILE
    found.keep(path)
    words = f"read {len(found.entries):,} models from {arguments.catalog}; kept in {path}"
    if left := found.left_out:
        more = ", …" if len(left) > _MOST_NAMED else ""
        named = ", ".join(left[:_MOST_NAMED]) + more
        why = "say nothing in the form of models.dev and are left out"
        echo_stderr(f"{len(left):,} {'entry' if len(left) == 1 else 'entries'} {why}: {named}")
    value = {"models": len(found.entries), "kept": str(path), "left_out": list(left)}
    echo_result(arguments, value, [words])
    return GOOD


def _probe(arguments: argparse.Namespace, config: Config) -> int:
    """Say what it can take at most, ask, and print what was found; exit 3 when none answers."""
    from orchestrator.cli.client_call import call_client  # noqa: PLC0415  loads the client
    from orchestrator.routing.prices import serves  # noqa: PLC0415
    from orchestrator.routing.probe import probe_bound  # noqa: PLC0415

    found = deployments_of(config, os.environ)
    routes = RouteTable(found, config.orchestrator.routes, serves)
    bound = probe_bound(routes.deployments(arguments.name))
    if arguments.plan:
        echo_result(arguments, asdict(bound), [bound.words()])
        return GOOD
    echo_stderr(bound.words())
    reports = call_client(lambda orc: orc.probe_models(arguments.name))
    rows = [(one.deployment, one.model, one.words(), str(one.calls)) for one in reports]
    lines = table(("deployment", "model", "found", "calls"), rows)
    words = "every deployment has been probed as it is; models probe NAME asks again"
    nothing = [words if bound.calls else "there is nothing to ask: no chat model of a provider"]
    echo_result(arguments, [one.as_dict() for one in reports], lines if reports else nothing)
    return GOOD if not reports or any(one.is_reachable for one in reports) else PROVIDER


def _listed(arguments: argparse.Namespace, config: Config, known: KnownFacts) -> int:
    named = [name.strip() for name in arguments.capable.split(",") if name.strip()]
    wish = wish_of(
        {
            **dict.fromkeys(named, True),
            "min_context": arguments.min_context or 0,
            "order_by": arguments.sort or "",
        }
    )
    shelf = known.whole_table if arguments.everywhere else _groups(config, known)
    models = shelf.among(wish)
    value = [one.model_dump(mode="json") for one in models]
    head = ("name", "model", "context", "$/M in", "$/M out", "retires")
    rows = [head, *map(_row, models)]
    if arguments.everywhere:  # in LiteLLM's table the name says which model it is
        rows = [(row[0], *row[2:]) for row in rows]
    lines = table(rows[0], rows[1:])
    echo_result(arguments, value, lines if models else ["no model is known to fulfil all of this"])
    return GOOD


def _groups(config: Config, known: KnownFacts) -> Shelf:
    found = deployments_of(config, os.environ)
    return Shelf(known.profile(group, found.of_group(group)) for group in found.groups())


def _row(one: LLMProfile) -> tuple[str, ...]:
    window = one.capabilities.max_context_window
    prices = (one.input_cost_per_token, one.output_cost_per_token)
    return (
        one.name,
        one.model,
        f"{window:,}" if window else "?",
        *("?" if price is None else _dollars(price) for price in prices),
        str(one.retires_on or ""),
    )


def _dollars(price: float) -> str:
    """A price per token as dollars per million tokens."""
    dollars = 1e6 * price
    return (
        f"{dollars:.4f}".rstrip("0").rstrip(".")
        if dollars == 0 or dollars >= 1e-4
        else (f"{dollars:.0e}")
    )


def _show(arguments: argparse.Namespace, config: Config, known: KnownFacts) -> int:
    if not arguments.name:
        raise UsageError("models show needs the name of a model group, a deployment or a model")
    every, skipped = _named(arguments.name, config, known)
    facts = known.of_group(every)
    today = today_utc()
    goes = [r for one in every if (r := retirement_of(one, today, known.table)) is not None]
    value = {
        "name": arguments.name,
        "deployments": [{"id": one.id, "model": one.model} for one in every],
        "left_out": [{"model": one.model, "because": one.reason} for one in skipped],
        "facts": {name: _as_json(said) for name, said in facts.said.items()},
        "disputed": list(facts.disputed()),
        "retires_on": str(min(goes, key=lambda r: r.on).on) if goes else None,
        "recommended_replacement": min(goes, key=lambda r: r.on).successor if goes else "",
    }
    unheard = [one.id for one in every if len(every) > 1 and not known.of(one).said]
    lines = [
        *table(("deployment", "model"), [(one.id, one.model) for one in every]),
        *(f"left out: {one.model} ({one.reason})" for one in skipped),
        "",
        *_fact_lines(facts),
        *(f"nothing is known of {one}, and so not of the group" for one in unheard),
        *(one.words(today) for one in goes),
    ]
    echo_result(arguments, value, lines)
    return GOOD


def _named(
    name: str, config: Config, known: KnownFacts
) -> tuple[Sequence[Deployment], Sequence[SkippedDeployment]]:
    """The deployments of a name, those that cannot be called too, and why they cannot."""
    models = ConfiguredModels(config, os.environ, reads_table=True)
    if every := models.deployments(name):
        try:
            skipped = deployments_of(config, os.environ).skipped
        except ConfigError:  # none can be called; what is known of them can be shown
            skipped = ()
        ready = {(one.group, one.model) for one in every}
        return every, [one for one in skipped if (one.group, one.model) in ready]
    if (one := known.named(name)) is not None:
        return [one], ()
    fix = "orchestrator models lists what is configured, models --all LiteLLM's table."
    raise ConfigError(name, "is neither configured nor in a table of models", fix=fix)


def _fact_lines(facts: Facts) -> Iterator[str]:
    rows = [
        (name if first else "", _spelled(name, one.value, first=first), one.source, one.at[:10])
        for name, said in facts.said.items()
        for first, one in _worth_a_line(said)
    ]
    if rows:
        yield from table(("fact", "value", "source", "found"), rows)
    if unknown := [name for name in ABILITIES if facts[name] is None]:
        yield f"unknown: {', '.join(unknown)}"


def _worth_a_line(said: Sequence[Fact]) -> Iterator[tuple[bool, Fact]]:
    """The statement that counts, and those that disagree with it."""
    yield True, said[0]
    yield from ((False, one) for one in said[1:] if one.value != said[0].value)


def _spelled(name: str, value: FactValue, *, first: bool) -> str:
    if isinstance(value, bool):
        words = "yes" if value else "no"
    else:
        words = f"${_dollars(value)} per million" if name in PRICES else f"{value:,} tokens"
    return words if first else f"but {words}"


def _as_json(said: Sequence[Fact]) -> list[dict[str, object]]:
    return [{"value": one.value, "source": one.source, "at": one.at} for one in said]
