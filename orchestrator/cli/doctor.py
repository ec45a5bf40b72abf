"""`orchestrator doctor`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from orchestrator.cache import Store
from orchestrator.cli.output import GOOD, INVALID, say, say_json
from orchestrator.config import Config, cache_directory
from orchestrator.errors import ConfigError
from orchestrator.routing import deployments_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is well."""

    what: str
    found: str
    fix: str = ""
    is_bad: bool = False


def run(arguments: argparse.Namespace) -> int:
    """Look everything over; exit 1 when something keeps the program from working."""
    findings = list(_findings())
    if arguments.json:
        say_json([{"what": f.what, "found": f.found, "fix": f.fix} for f in findings])
    else:
        for finding in findings:
            mark = "bad " if finding.is_bad else "look" if finding.fix else "ok  "
            say(f"{mark}  {finding.what}: {finding.found}")
            if finding.fix:
                say(f"      {finding.fix}")
    return INVALID if any(f.is_bad for f in findings) else GOOD


def _findings() -> Iterator[Finding]:
    yield Finding("python", platform.python_version())
    for package in ("litellm", "numpy", "pydantic", "diskcache"):
        yield _package(package)
    try:
        config = Config.load(None, os.environ)
    except ConfigError as error:
        yield Finding("config", str(error), error.fix or "Mend the file.", is_bad=True)
        return
    yield Finding("config", config.source)
    if config.unused:
        words = "They load and change nothing here."
        yield Finding("unused config keys", ", ".join(config.unused), words)
    yield from _deployments(config)
    yield _cache(config)


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", f"pip install {name}", is_bad=True)


def _deployments(config: Config) -> Iterator[Finding]:
    try:
        found = deployments_of(config, os.environ)
    except ConfigError as error:
        yield Finding("deployments", str(error), error.fix, is_bad=True)
        return
    names = ", ".join(dict.fromkeys(one.group for one in found.ready))
    is_embedded = all(one.provider == "offline" for one in found.ready)
    fix = "To ask a language model, set a key below or start a local server."
    yield Finding("can be called", names, fix if is_embedded else "")
    for dropped in found.dropped:
        what = f"{dropped.group} left out"
        if dropped.reason.endswith("is not set"):
            key = dropped.reason.split()[0]
            yield Finding(what, dropped.reason, f"export {key}=… to use {dropped.model}")
        elif "no server" in dropped.reason:
            words = f"Start the local server to use {dropped.model}."
            yield Finding(what, dropped.reason, words)


def _cache(config: Config) -> Finding:
    directory = cache_directory(config.orchestrator.cache, os.environ)
    try:
        store = Store(directory)
    except ConfigError as error:
        return Finding("cache", str(error), error.fix, is_bad=True)
    info = store.info()
    store.close()
    return Finding("cache", f"{info.directory}, {info.entries} entries")
