"""Where keys come from beside the environment: a private file, the system's keyring, a callable.

A manager is anything with ``get(name)``; it gets the name of a variable such as OPENAI_API_KEY.
Keys stay `SecretStr` until a request is made, and are asked for again at each construction, so
that a rotated key needs no restart.
"""

from __future__ import annotations

import os
import stat
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    Key = str | SecretStr | Callable[[], str | SecretStr | None]


class CredentialManager(Protocol):
    """Gives the key that a variable of the environment would hold."""

    def get(self, name: str) -> str | SecretStr | None:
        """The key of that name; None for none."""


class FileCredentials:
    """Lines ``NAME=key`` in a file that only its owner can read; read again at each question."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def get(self, name: str) -> SecretStr | None:
        """The key of that name; None for none.

        Raises: ConfigError: the file cannot be read, others may read it, a line is neither
            ``NAME=key``, nor blank, nor a comment, or the name is there twice.
        """
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            text = self._path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(self._path), f"cannot be read ({type(error).__name__})") from None
        if os.name == "posix" and mode & 0o077:
            fix = f"chmod 600 {self._path}"
            raise ConfigError(str(self._path), f"is open to others ({mode:o})", fix=fix)
        found: dict[int, str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            key, sign, value = line.strip().removeprefix("export ").partition("=")
            if not sign or not key.strip().isidentifier():
                fix = "Write NAME=key, as OPENAI_API_KEY=sk-…, or begin a comment with #."
                raise ConfigError(str(self._path), f"line {number} is not NAME=key", fix=fix)
            if key.strip() == name and value.strip():
                found[number] = value.strip().strip("\"'")
        if len(found) > 1:
            words = f"{name} is there twice, at line {' and '.join(map(str, found))}"
            raise ConfigError(str(self._path), words, fix="Keep one.")
        return SecretStr(*found.values()) if found else None


class KeyringCredentials:
    """Keys in the system's keyring, under a service and the name of the variable."""

    def __init__(self, service: str = "orchestrator") -> None:
        """Raises: MissingExtraError: the extra `keyring` is not installed."""
        try:
            self._keyring = import_module("keyring")
        except ModuleNotFoundError:
            raise MissingExtraError("KeyringCredentials", "keyring") from None
        self._service = service

    def get(self, name: str) -> SecretStr | None:
        """The key of that name; None for none."""
        found = self._keyring.get_password(self._service, name)
        return SecretStr(found) if found else None


def is_key(text: str) -> bool:
    """Whether a text can be sent as a key: a header takes ASCII, and no blanks around it."""
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def opened(key: Key | None, place: str) -> str:
    """The plain text of a key, for the moment in which it is used; empty for none.

    Raises: ConfigError: it is blank, holds what no header can, or what is asked for it fails; its
        value is not shown.
    """
    if callable(key):
        try:
            key = key()
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001  strangers' code; its words may hold the key
            raise ConfigError(place, f"could not be had: {type(error).__name__}") from None
    if key is None:
        return ""
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if not isinstance(text, str) or not is_key(text):
        fix = (
            "Give the key as its provider shows it, without blanks around it, quotes or line ends."
        )
        raise ConfigError(place, "is blank, or not the text of a key", fix=fix)
    return text
