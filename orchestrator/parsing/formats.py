"""The formats of JSON Schema that a text is held to: it is one, or it is not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import date, datetime, time

from orchestrator.types.pattern import pattern

_DATE = pattern(r"\d{4}-\d\d-\d\d")
_DATE_TIME = pattern(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")
_TIME = pattern(r"\d\d:\d\d.*")
_UUID = pattern(r"(?:urn:uuid:)?\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")
_EMAIL = pattern(r"[^@\s]+@[^@\s]+")
_URI = pattern(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DURATION = pattern(
    r"-?P(?=.)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)"
)

#: What looks like one; the type that it is read to judges it further.
LIKE: Mapping[str, Callable[[str], object]] = {
    "date": _DATE.fullmatch,
    "date-time": _DATE_TIME.fullmatch,
    "time": _TIME.fullmatch,
    "uuid": _UUID.fullmatch,
}


def _reads(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except ValueError:
        return None


#: What is one, where a schema alone judges: None for any other text.
FORMATS: Mapping[str, Callable[[str], object]] = {
    **LIKE,
    "date": lambda text: _DATE.fullmatch(text) and _reads(date.fromisoformat, text),
    "date-time": lambda text: (
        _DATE_TIME.fullmatch(text) and _reads(datetime.fromisoformat, text.upper())
    ),
    "time": lambda text: _TIME.fullmatch(text) and _reads(time.fromisoformat, text.upper()),
    "duration": _DURATION.fullmatch,
    "email": _EMAIL.fullmatch,
    "ipv4": lambda text: _reads(ipaddress.IPv4Address, text),
    "ipv6": lambda text: _reads(ipaddress.IPv6Address, text),
    "uri": _URI.fullmatch,
}
