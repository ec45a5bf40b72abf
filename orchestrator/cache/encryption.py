"""Encryption of stored values under a key of the user, by Fernet of the cryptography package."""

from __future__ import annotations

from typing import Any

from orchestrator.types.errors import ConfigError, MissingExtraError


class EncryptionError(ValueError):
    """A value was not encrypted with this key."""


class Encryption:
    """Encrypts and decrypts bytes; without a key they stay as they are."""

    def __init__(self, key: str = "") -> None:
        """`key` is one or several of Fernet's, comma-separated: the first encrypts, all decrypt.

        Raises: MissingExtraError: the extra ``encrypt`` is not installed; ConfigError: `key` is not
            a key.
        """
        self._fernet: Any = None
        if not key:
            return
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError("orchestrator.cache.encrypt", "encrypt") from error
        self._invalid = InvalidToken
        try:
            self._fernet = MultiFernet([Fernet(one.strip()) for one in key.split(",")])
        except ValueError:
            raise ConfigError(
                "orchestrator.cache.encrypt",
                "it is not a key of 32 bytes in URL-safe base64",
                fix='Make one: python -c "from cryptography.fernet import Fernet;'
                ' print(Fernet.generate_key().decode())"',
            ) from None

    def encrypt(self, raw: bytes) -> bytes:
        """The bytes as they are kept."""
        return raw if self._fernet is None else bytes(self._fernet.encrypt(raw))

    def decrypt(self, raw: bytes) -> bytes:
        """The bytes as they were.

        Raises: EncryptionError: they were encrypted with another key, or not at all.
        """
        if self._fernet is None:
            return raw
        try:
            return bytes(self._fernet.decrypt(raw))
        except self._invalid:
            raise EncryptionError("it was not encrypted with this key") from None
