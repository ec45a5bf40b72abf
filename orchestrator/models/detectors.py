"""Capability detectors: entry points by which a package says what models of a provider can."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from orchestrator.types.errors import ConfigError

#: Each is a callable (provider, model, api_key) that gives fields of `LLMCapabilities`, or nothing;
#: plain or async. The entry point has the name of the provider, or ``*``.
GROUP = "orchestrator.capability_detectors"

Found = Mapping[str, Any] | None
Detector = Callable[[str, str, str], "Found | Awaitable[Found]"]


async def detected(provider: str, model: str, api_key: str) -> dict[str, Any]:
    """What the installed detectors say about a model; the first that speaks of a field counts.

    Raises: ConfigError: a detector fails; the message names it and holds nothing of the key.
    """
    found: dict[str, Any] = {}
    for point in await asyncio.to_thread(entry_points, group=GROUP):
        if point.name not in (provider, "*"):
            continue
        try:
            detector: Detector = point.load()
            said = detector(provider, model, api_key)
            said = await said if inspect.isawaitable(said) else said
            found = {**dict(said or {}), **found}
        except Exception as error:  # noqa: BLE001  strangers' code; its words may hold the key
            place = f"the detector {point.name} ({point.value})"
            raise ConfigError(place, f"failed with {type(error).__name__}") from None
    return found
