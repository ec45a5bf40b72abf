"""Addresses of pages in one spelling, so that the same page is known again."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_PORTS = {"http": "80", "https": "443"}
#: Parameters that say where a reader came from, not which page it is.
_TRACKING = re.compile(
    r"(?:utm_\w+|[gmwy]clid|fbclid|dclid|gbraid|wbraid|msclkid|yclid|igshid|mc_[ce]id|_hs\w+|srsltid"
    r"|_ga|_gl|oly_\w+_id|vero_id|ref_src)\Z",
    re.IGNORECASE,
)
_BARE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_HOST = re.compile(r"[^\s\x00-\x20\x7f/?#@\\:%<>\"'`{}|^]+\Z|\[[0-9A-Fa-f:.]+\]\Z")


def canonical_url(address: str) -> str:
    """An http(s) address in one spelling, to compare; empty for anything else.

    As `clean_url`, and without a slash at the end of the path.
    """
    place, mark, query = clean_url(address).partition("?")
    return f"{place.rstrip('/')}{mark}{query}"


def clean_url(address: str) -> str:
    """An http(s) address as it may be shown and followed; empty for anything else.

    Lower-case scheme and host; no user, default port, fragment or tracking parameters; each byte
    is escaped exactly where it must be.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return ""
    host = f"[{host}]" if ":" in host else host.rstrip(".")
    if parts.scheme not in _PORTS or not _HOST.match(host):
        return ""
    kept = [
        one for one in parts.query.split("&") if one and not _TRACKING.match(one.partition("=")[0])
    ]
    path, query = _escaped(parts.path or "/"), _escaped("&".join(kept))
    place = host if port is None or str(port) == _PORTS[parts.scheme] else f"{host}:{port}"
    return f"{parts.scheme}://{place}{path}{'?' if query else ''}{query}"


def host_of(address: str) -> str:
    """The host of an http(s) address, without ``www.``; empty for anything else."""
    return (urlsplit(canonical_url(address)).hostname or "").removeprefix("www.")


def _escaped(text: str) -> str:
    """The text with none of a letter or digit escaped, upper-case hexadecimal, and an escape for
    all that an address may not hold."""
    raw = text.encode(errors="surrogatepass").decode("latin-1")
    raw = _ESCAPE.sub(_unescaped, _BARE.sub("%25", raw))
    return quote(raw, safe="%/:@!$&'()*+,;=?~", encoding="latin-1")


def _unescaped(found: re.Match[str]) -> str:
    byte = int(found[1], 16)
    return chr(byte) if byte in _UNRESERVED else found[0].upper()
