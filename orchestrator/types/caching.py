"""Whether the cache may answer a call, and how it keeps the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: use: read and store. refresh: call the model and store. off: neither read nor store. replay:
#: answer from recordings alone, a miss is an error. record: as replay, but a miss is called and
#: recorded.
CacheMode = Literal["use", "refresh", "off", "replay", "record"]

#: A mode, or a mapping with options: ``{"mode": "use", "ttl": 60, "tag": "trial"}``, and LiteLLM's
#: ``no-cache``, ``no-store`` and ``s-maxage``.
Caching = CacheMode | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long the cache keeps an answer, and how old an answer it may return.

    Attributes:
        ttl_s: seconds to keep it; 0 for the configured age.
        tag: a tag by which entries can be removed.
        oldest_s: largest age, in seconds, of an answer from the cache; 0 for any age.
        tenant: who alone may be given the answer; None for everybody.
    """

    ttl_s: float = 0.0
    tag: str = ""
    oldest_s: float = 0.0
    tenant: str | None = None


#: As it is configured, for everybody.
AS_CONFIGURED = CachePolicy()
