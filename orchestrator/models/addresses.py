"""Addresses in parameters: where they lead, and whether that is this machine.

An origin is scheme, host and port.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Strict, because each client reads what is odd in its own way.
_ADDRESS = pattern(
    r"(https?)://(?:[^/?#@\\\s]*@)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?(?=[/?#]|\Z)",
    re.IGNORECASE | re.ASCII,
)
_HERE = ("localhost", "127.0.0.1", "[::1]")
#: Private networks (RFC 1918, 3927, 4193, 4291), and names that no public server has.
_NEAR = pattern(
    r"(127|10)(\.\d{1,3}){3}|(192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2}"
    r"|\[f[cd][0-9a-f]{2}:[0-9a-f:.]*\]|\[fe[89ab][0-9a-f]:[0-9a-f:.]*\]"
    r"|[a-z0-9_-]+|[a-z0-9._-]+\.(local|lan|internal|localhost|home\.arpa)"
)
#: The parameters that state an address, in LiteLLM's order.
BASES = ("base_url", "api_base", "azure_endpoint")
_IN_MODEL = pattern(r"(?<![^/:])[^/:]*+://.*", re.DOTALL)


def origin_of(address: object) -> str:
    """Scheme, host and port, in one spelling; empty for what cannot be read in one way only."""
    found = _ADDRESS.match(str(address))
    if found is None:
        return ""
    scheme, host = found[1].lower(), found[2].lower()
    return f"{scheme}://{host}:{int(found[3] or (443 if scheme == 'https' else 80))}"


def is_here(address: object) -> bool:
    """Whether an address is one of this machine."""
    return origin_of(address).rpartition(":")[0].partition("://")[2] in _HERE


def is_near(address: object) -> bool:
    """Whether an address is one of this machine, or of a network that has no public addresses."""
    host = origin_of(address).rpartition(":")[0].partition("://")[2]
    return host in _HERE or _NEAR.fullmatch(host) is not None


def base_of(params: Mapping[str, Any]) -> str:
    """The address that parameters state, as LiteLLM reads them; empty for none.

    For huggingface and oobabooga an address in the model's name goes before every other.
    """
    if found := _IN_MODEL.search(str(params.get("model"))):
        return found[0]
    for name in BASES:
        if params.get(name):
            return str(params[name])
    return ""
