"""`orchestrator doctor`."""

from __future__ import annotations

import asyncio
import datetime
import os
import platform
import stat
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from orchestrator.cache.redis import connected
from orchestrator.cli.output import GOOD, INVALID, say, say_json
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.client.wiring import stated, store_of
from orchestrator.config.settings import Config, cache_directory, ledger_directory
from orchestrator.models.deployments import deployments_of
from orchestrator.models.retirement import retirement
from orchestrator.routing.prices import model_table, takes_schema
from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from orchestrator.models.deployments import Deployment, Deployments

_ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at; `fix` is empty when it is well."""

    what: str
    found: str
    fix: str = ""
    is_bad: bool = False


def run(arguments: argparse.Namespace) -> int:
    """Look everything over; exit 1 when something keeps the program from working."""
    findings = list(_findings(is_probed=arguments.probe))
    if arguments.json:
        say_json([{"what": f.what, "found": f.found, "fix": f.fix} for f in findings])
    else:
        for finding in findings:
            mark = "bad " if finding.is_bad else "look" if finding.fix else "ok  "
            say(f"{mark}  {finding.what}: {finding.found}")
            if finding.fix:
                say(f"      {finding.fix}")
    return INVALID if any(f.is_bad for f in findings) else GOOD


def _findings(*, is_probed: bool) -> Iterator[Checked]:
    yield Checked("python", platform.python_version())
    for package in ("litellm", "numpy", "pydantic", "diskcache"):
        yield _package(package)
    yield clock(datetime.datetime.now(datetime.UTC))
    try:
        config = Config.load(None, os.environ)
    except ConfigError as error:
        yield Checked("config", str(error), error.fix or "Mend the file.", is_bad=True)
        return
    yield Checked("config", config.source)
    if config.unused:
        words = "They load and change nothing here."
        yield Checked("unused config keys", ", ".join(config.unused), words)
    try:
        found = deployments_of(config, os.environ)
    except ConfigError as error:
        yield Checked("deployments", str(error), error.fix, is_bad=True)
    else:
        yield from _deployments(found, asyncio.run(_forms()) if is_probed else {})
    yield _cache(config)
    ledger = ledger_directory(config.orchestrator.ledger, os.environ)
    yield Checked("ledger", "not kept") if ledger is None else _rights("ledger", ledger)


def _package(name: str) -> Checked:
    try:
        return Checked(name, version(name))
    except PackageNotFoundError:
        return Checked(name, "not installed", f"pip install {name}", is_bad=True)


def clock(now: datetime.datetime) -> Checked:
    """A clock behind the day this was installed makes every certificate and bill wrong."""
    installed = Path(str(distribution("litellm").locate_file("litellm"))).stat().st_mtime
    if now.timestamp() < installed - 86_400:
        return Checked("clock", f"{now:%Y-%m-%d}", "Set the clock: it is in the past.", is_bad=True)
    return Checked("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _deployments(found: Deployments, forms: Mapping[str, str]) -> Iterator[Checked]:
    names = ", ".join(dict.fromkeys(one.group for one in found.ready))
    is_embedded = all(one.provider == "offline" for one in found.ready)
    fix = "To ask a language model, set a key below or start a local server."
    yield Checked("can be called", names, fix if is_embedded else "")
    today = datetime.datetime.now(datetime.UTC).date()
    for one in found.ready:
        if one.provider == "offline":
            continue
        yield _form(one, forms[one.id]) if one.id in forms else _schema(one)
        if (goes := retirement(one, today, model_table())) is not None:
            when = f"{'retired on' if goes.is_past(today) else 'will be retired on'} {goes.on}"
            fix = f"Use {goes.successor} instead." if goes.successor else "Choose another model."
            yield Checked(f"{one.id} ({one.model})", when, fix, is_bad=goes.is_past(today))
        if one.is_local:
            yield _server(one)
    for skipped in found.skipped:
        what = f"{skipped.group} left out"
        if skipped.reason.endswith("is not set"):
            key = skipped.reason.split()[0].rstrip(",")
            yield Checked(what, skipped.reason, f"export {key}=… to use {skipped.model}")
        elif "no server" in skipped.reason:
            words = f"Start the local server to use {skipped.model}."
            yield Checked(what, skipped.reason, words)


async def _forms() -> Mapping[str, str]:
    async with Orchestrator() as orc:
        return await orc.output_mode_check()


def _form(one: Deployment, words: str) -> Checked:
    fix = "Check its key, its name and its server." if words.startswith("does not") else ""
    return Checked(one.id, f"{one.model} {words}", fix, is_bad=bool(fix))


def _schema(one: Deployment) -> Checked:
    takes = takes_schema(one)
    if takes is None:
        return Checked(one.id, f"{one.model} is not in LiteLLM's table: no price, no capabilities",
                       "State input_cost_per_token and output_cost_per_token.")  # fmt: skip
    words = "takes a JSON schema" if takes else "is asked for JSON in words"
    return Checked(one.id, f"{one.model} {words}")


def _server(one: Deployment) -> Checked:
    base = str(one.params.value.get("api_base") or "")
    is_ollama = one.provider.startswith("ollama")
    url = f"{base.rstrip('/')}/api/tags" if is_ollama else f"{base.rstrip('/')}/models"
    try:
        said: Any = httpx.get(url, timeout=_ASK_S).json()
        models = [str(m.get("name") or m.get("id")) for m in said.get("models", said.get("data"))]
    except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:
        words = f"{url} does not list its models ({type(error).__name__})"
        return Checked(f"server of {one.id}", words, "Start the server, or mend api_base.")
    wanted = one.model.partition("/")[2]
    listed = ", ".join(models) or "none"
    if any(wanted == model.removesuffix(":latest") or wanted == model for model in models):
        return Checked(f"server of {one.id}", f"{base} offers {listed}")
    fix = f"ollama pull {wanted}" if is_ollama else f"Load {wanted} in the server."
    return Checked(f"server of {one.id}", f"{base} offers {listed}, not {wanted}", fix)


def _cache(config: Config) -> Checked:
    settings = config.orchestrator.cache
    directory = cache_directory(settings, os.environ)
    try:
        store = store_of(settings, os.environ)
        if store.is_remote and (fault := _unreached(stated(settings.url, os.environ))):
            fix = "Start the server, or mend orchestrator.cache.url; until then nothing is kept."
            return Checked("cache", f"Redis cannot be reached ({fault})", fix, is_bad=True)
    except (ConfigError, MissingExtraError) as error:
        return Checked("cache", str(error), getattr(error, "fix", ""), is_bad=True)
    info = store.info()
    store.close()
    rights = _rights("cache", directory)
    return rights if rights.fix else Checked("cache", f"{info.directory}, {info.entries} entries")


def _unreached(url: str) -> str:
    """The name of what keeps a Redis from answering, empty when it answers."""
    client, faults = connected(url)
    try:
        client.ping()
    except faults as error:
        return type(error).__name__
    finally:
        client.close()
    return ""


def _rights(what: str, directory: Path) -> Checked:
    """Whether we may write there and nobody else may read."""
    nearest = next(p for p in (directory, *directory.parents) if p.exists())
    if not os.access(nearest, os.W_OK):
        fix = f"Make {nearest} writable, or name another directory."
        return Checked(what, f"{directory} cannot be written", fix, is_bad=True)
    mode = stat.S_IMODE(directory.stat().st_mode) if directory.exists() else 0o700
    if mode & 0o077:
        return Checked(what, f"{directory} is open to others ({mode:o})", f"chmod 700 {directory}")
    return Checked(what, str(directory))
