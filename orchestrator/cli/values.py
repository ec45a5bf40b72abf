"""Values of arguments: what is wrong with one is said before a command runs."""

from __future__ import annotations

import argparse
import ipaddress
import math

_A_DAY_S = 86_400.0


def constraint(text: str) -> tuple[str, int]:
    """`max_states=25` as a name and a number."""
    key, sign, value = text.partition("=")
    if not sign or not value.strip().isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a constraint; write for example max_states=25"
        )
    return key.strip(), int(value)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds above 0, at most those of a day."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= _A_DAY_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not seconds: above 0, at most {_A_DAY_S:g}")
    return number


def port(text: str) -> int:
    """A port to listen on; 0 is any that is free."""
    if (number := _whole(text, 0)) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return number


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as a name or an address says it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
