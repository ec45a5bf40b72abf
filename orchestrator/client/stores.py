"""Where answers are kept, and the locks around them, as the settings say.

Apart from the rest of the wiring: what only looks into the cache loads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cache.disk import disk_store
from orchestrator.cache.encryption import Encryption
from orchestrator.config.settings import Cache, cache_directory
from orchestrator.models.deployments import resolved
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.cache.single_flight import Locks
    from orchestrator.cache.store import Store

_FAILED_MB = 64


def store_of(settings: Cache, environ: Mapping[str, str]) -> Store:
    """Where the settings say that answers are kept.

    Raises: ConfigError: an ``os.environ/KEY`` is not set, or a setting is wrong;
        MissingExtraError: an extra is not installed.
    """
    encryption = Encryption(stated(settings.encrypt, environ))
    if url := stated(settings.url, environ):
        # asyncio, which both modules of locks import, is a tenth of `orchestrator cache info`.
        from orchestrator.cache.redis import shared_store  # noqa: PLC0415

        return shared_store(url, encryption=encryption)
    directory = cache_directory(settings, environ)
    return disk_store(directory, size_limit_mb=settings.size_limit_mb, encryption=encryption)


def failed_runs_of(ledger: Path, settings: Cache, environ: Mapping[str, str]) -> Store:
    """Where the answers of failed runs are kept: beside the ledger, encrypted as the cache is.

    Raises: as `store_of`.
    """
    encryption = Encryption(stated(settings.encrypt, environ))
    return disk_store(ledger / "runs", size_limit_mb=_FAILED_MB, encryption=encryption)


def locks_of(settings: Cache, environ: Mapping[str, str]) -> Locks:
    """The locks of all processes that share the answers: each question is asked once.

    Raises: as `store_of`.
    """
    from orchestrator.cache.redis import RedisLocks  # noqa: PLC0415  as in `store_of`
    from orchestrator.cache.single_flight import FileLocks  # noqa: PLC0415

    if url := stated(settings.url, environ):
        return RedisLocks(url)
    return FileLocks(cache_directory(settings, environ) / "asking")


def stated(setting: str, environ: Mapping[str, str]) -> str:
    """A setting, read from the environment where it says so.

    Raises: ConfigError: that variable is not set.
    """
    stated, unset = resolved({"is": setting}, environ)
    if unset:
        raise ConfigError("orchestrator.cache", f"{', '.join(unset)} is not set")
    return str(stated["is"])
