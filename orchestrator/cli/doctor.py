"""`orchestrator doctor`."""

from __future__ import annotations

import datetime
import os
import platform
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from orchestrator.cache.redis import connected
from orchestrator.cli.client_call import call_client
from orchestrator.cli.output import GOOD, INVALID, echo_result, echo_stderr
from orchestrator.client.stores import stated, store_of
from orchestrator.config.settings import Config, cache_directory, ledger_directory
from orchestrator.models.deployments import deployments_of
from orchestrator.models.local_servers import address_of
from orchestrator.models.retirement import retirement, today_utc
from orchestrator.models.surroundings import without_secrets
from orchestrator.routing.build import REDIS_PORT
from orchestrator.routing.engines import engines_of
from orchestrator.routing.prices import model_table, takes_schema
from orchestrator.routing.probe import probe_bound
from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.groups import Deployments
    from orchestrator.routing.probe import ProbeReport

_SERVER_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked; `fix` says what to do, and is empty when nothing is wrong."""

    what: str
    found: str
    fix: str = ""
    is_bad: bool = False

    def lines(self) -> Iterator[str]:
        """What was found, and on a second line the fix."""
        mark = "bad " if self.is_bad else "look" if self.fix else "ok  "
        yield f"{mark}  {self.what}: {self.found}"
        if self.fix:
            yield f"      {self.fix}"


def run(arguments: argparse.Namespace) -> int:
    """Check packages, config, deployments and directories; exit 1 when one of them is bad."""
    findings = list(_findings(is_probed=arguments.probe))
    value = [{"what": f.what, "found": f.found, "fix": f.fix} for f in findings]
    echo_result(arguments, value, (line for f in findings for line in f.lines()))
    return INVALID if any(f.is_bad for f in findings) else GOOD


def _findings(*, is_probed: bool) -> Iterator[Checked]:
    yield Checked("python", platform.python_version())
    for package in ("litellm", "numpy", "pydantic", "diskcache"):
        yield _package(package)
    yield clock(datetime.datetime.now(datetime.UTC))
    try:
        config = Config.load(None, os.environ)
    except ConfigError as error:
        yield Checked("config", str(error), error.fix or "Correct the file.", is_bad=True)
        return
    yield Checked("config", config.source)
    if config.unused:
        words = "They are read and have no effect here."
        yield Checked("unused config keys", ", ".join(config.unused), words)
    yield from _search(config)
    try:
        found = deployments_of(config, os.environ)
    except ConfigError as error:
        yield Checked("deployments", str(error), error.fix, is_bad=True)
    else:
        yield from _deployments(found, _probes(found) if is_probed else {})
        yield from _shared(found)
    yield _cache(config)
    ledger = ledger_directory(config.orchestrator.ledger, os.environ)
    yield Checked("ledger", "not kept") if ledger is None else _permissions("ledger", ledger)


def _search(config: Config) -> Iterator[Checked]:
    """Which search engines can be asked, and why others cannot."""
    try:
        engines = engines_of(config, os.environ)
    except ConfigError as error:
        yield Checked("search", str(error), error.fix, is_bad=True)
        return
    names = ", ".join(one.name for one in engines.ready) or "no engine can be asked"
    why = "; ".join(map(str, engines.skipped))
    is_bad = not engines.ready and config.orchestrator.search.mode != "off"
    yield Checked("search", names, f"Left out: {why}" if why else "", is_bad=is_bad)


def _probes(found: Deployments) -> Mapping[str, ProbeReport]:
    """What every deployment does, by id; the most that this can take is said beforehand."""
    bound = probe_bound(found.ready)
    if not bound.calls:
        return {}
    echo_stderr(bound.words())
    return {one.deployment: one for one in call_client(lambda orc: orc.probe_models(again=True))}


def _package(name: str) -> Checked:
    try:
        return Checked(name, version(name))
    except PackageNotFoundError:
        return Checked(name, "not installed", f"pip install {name}", is_bad=True)


def clock(now: datetime.datetime) -> Checked:
    """Bad when `now` lies before the installation: certificates and the ledger need the time."""
    installed = Path(str(distribution("litellm").locate_file("litellm"))).stat().st_mtime
    if now.timestamp() < installed - 86_400:
        return Checked("clock", f"{now:%Y-%m-%d}", "Set the clock: it is in the past.", is_bad=True)
    return Checked("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _deployments(found: Deployments, probed: Mapping[str, ProbeReport]) -> Iterator[Checked]:
    names = ", ".join(dict.fromkeys(one.group for one in found.ready))
    is_embedded = all(one.provider == "offline" for one in found.ready)
    names = names or "no model: the configuration has search engines and no model_list"
    fix = "To ask a language model, set a key below or start a local server."
    yield Checked("can be called", names, fix if is_embedded else "")
    today = today_utc()
    for one in found.ready:
        if one.provider == "offline":
            continue
        yield _probed(one, probed[one.id]) if one.id in probed else _schema(one)
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
        elif skipped.reason.endswith("the text of a key"):
            words = (
                "Give it as its provider shows it, without blanks around it, quotes or line ends."
            )
            yield Checked(what, skipped.reason, words)
        elif "no server" in skipped.reason:
            words = f"Start the local server to use {skipped.model}."
            yield Checked(what, skipped.reason, words)


def _probed(one: Deployment, report: ProbeReport) -> Checked:
    if report.is_reachable:
        return Checked(one.id, f"{one.model} answers: {report.words()}")
    fix = "Check its key, its name and its server."
    return Checked(one.id, f"{one.model} does not answer: {report.why}", fix, is_bad=True)


def _schema(one: Deployment) -> Checked:
    takes = takes_schema(one)
    if takes is None:
        return Checked(one.id, f"{one.model} is not in LiteLLM's table: no price, no capabilities",
                       "State input_cost_per_token and output_cost_per_token.")  # fmt: skip
    words = "takes a JSON schema" if takes else "is asked for JSON in words"
    return Checked(one.id, f"{one.model} {words}")


def _server(one: Deployment) -> Checked:
    base = address_of(one)
    is_ollama = one.provider.startswith("ollama")
    url = f"{base}/api/tags" if is_ollama else f"{base}/models"
    try:
        body: Any = httpx.get(url, timeout=_SERVER_TIMEOUT_S).json()
        models = [str(m.get("name") or m.get("id")) for m in body.get("models", body.get("data"))]
    except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:
        words = f"{without_secrets(url)} does not list its models ({type(error).__name__})"
        return Checked(f"server of {one.id}", words, "Start the server, or correct api_base.")
    wanted, base = one.model.partition("/")[2], without_secrets(base)
    listed = ", ".join(models) or "none"
    if any(wanted == model.removesuffix(":latest") or wanted == model for model in models):
        return Checked(f"server of {one.id}", f"{base} offers {listed}")
    fix = f"ollama pull {wanted}" if is_ollama else f"Load {wanted} in the server."
    return Checked(f"server of {one.id}", f"{base} offers {listed}, not {wanted}", fix)


def _shared(found: Deployments) -> Iterator[Checked]:
    """The Redis in which rates, cooldowns and budgets are shared, where one is named."""
    settings = found.router_settings.value
    if not (url := settings.get("redis_url")):
        if not (host := settings.get("redis_host")):
            return
        password = quote(str(settings.get("redis_password") or ""), safe="")
        port = settings.get("redis_port") or REDIS_PORT
        url = f"redis://{f':{password}@' if password else ''}{host}:{port}"
    try:
        fault = _connection_error(str(url))
    except MissingExtraError:
        fault = "the extra redis is not installed"
    except ConfigError:
        fault = "it is not an address of a Redis server"
    if not fault:
        yield Checked("shared limits", "rates, cooldowns and budgets are counted in Redis")
        return
    fix = "Start the server, or correct router_settings; a budget refuses every call until then."
    yield Checked("shared limits", f"Redis cannot be reached ({fault})", fix, is_bad=True)


def _cache(config: Config) -> Checked:
    settings = config.orchestrator.cache
    directory = cache_directory(settings, os.environ)
    try:
        store = store_of(settings, os.environ)
        if store.is_remote and (fault := _connection_error(stated(settings.url, os.environ))):
            fix = (
                "Start the server, or correct orchestrator.cache.url; until then nothing is cached."
            )
            return Checked("cache", f"Redis cannot be reached ({fault})", fix, is_bad=True)
    except (ConfigError, MissingExtraError) as error:
        return Checked("cache", str(error), getattr(error, "fix", ""), is_bad=True)
    info = store.info()
    store.close()
    permissions = _permissions("cache", directory)
    return (
        permissions
        if permissions.fix
        else Checked("cache", f"{info.directory}, {info.entries} entries")
    )


def _connection_error(url: str) -> str:
    """Class name of the error with which a Redis server does not answer; empty if it answers."""
    client, faults = connected(url)
    try:
        client.ping()
    except faults as error:
        return type(error).__name__
    finally:
        client.close()
    return ""


def _permissions(what: str, directory: Path) -> Checked:
    """Whether this user can write to `directory` and other users cannot read it."""
    nearest = next(p for p in (directory, *directory.parents) if p.exists())
    try:
        # What a system says of its rights is not all: a file in the way, /proc, a full disk.
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        words = f"{directory} cannot be written ({error.strerror})"
        fix = f"Make {nearest} writable, or name another directory."
        return Checked(what, words, fix, is_bad=True)
    mode = stat.S_IMODE(directory.stat().st_mode) if directory.exists() else 0o700
    if mode & 0o077:
        return Checked(what, f"{directory} is open to others ({mode:o})", f"chmod 700 {directory}")
    return Checked(what, str(directory))
