"""`orchestrator cache info|clear`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, say, say_json
from orchestrator.config import Config, cache_directory
from orchestrator.store import Store

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Say how much is cached, or forget it."""
    settings = Config.load(None, os.environ).orchestrator.cache
    store = Store(cache_directory(settings, os.environ), size_limit_mb=settings.size_limit_mb)
    try:
        info = store.info()
        if arguments.action == "clear":
            removed = store.clear()
            if arguments.json:
                say_json({"directory": str(info.directory), "removed": removed})
            else:
                say(f"{info.directory}: {removed} entries removed")
            return GOOD
    finally:
        store.close()
    if arguments.json:
        say_json(
            {
                "directory": str(info.directory),
                "entries": info.entries,
                "size_bytes": info.size_bytes,
            }
        )
    else:
        say(f"{info.directory}: {info.entries} entries, {info.size_bytes // 1024} KiB")
    return GOOD
