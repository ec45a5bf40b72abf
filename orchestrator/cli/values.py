"""Values of arguments: what is wrong with one is said before a command runs."""

from __future__ import annotations

import argparse


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


def port(text: str) -> int:
    """A port to listen on; 0 is any that is free."""
    if (number := _whole(text, 0)) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return number
