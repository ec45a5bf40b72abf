"""Keys of tenants: shown once, stored hashed, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import uuid
from dataclasses import dataclass, replace

import sqlalchemy as sa

from orchestrator.agents.database import api_keys, reading, writing

_FORM = re.compile(r"gmn_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
#: It is part of a directory's name, which some systems do not tell by case or by dots at its end.
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MONEY = re.compile(r"(\d+(?:\.\d+)?)\s*usd/day")
#: How long a key that was revoked elsewhere still works here.
KNOWN_FOR_S = 2.0


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key.

    Attributes:
        id: the part of a key that is not secret.
        usd_per_day: as it was made with; of a key that was checked the smallest of its tenant's
            valid keys, which is the tenant's budget; None for no bound.
        rpm: requests a minute with this key; None for no bound.
        created_at, revoked_at: seconds since 1970.
    """

    id: str
    tenant: str
    usd_per_day: float | None
    rpm: int | None
    created_at: float
    revoked_at: float | None = None


class Keys:
    """The keys in a database. Its methods block for a moment of the database's time."""

    def __init__(self, engine: sa.Engine) -> None:
        """The engine is that of the memory, whose tables are there."""
        self._engine = engine
        self._known: dict[str, tuple[float, tuple[Key, str] | None]] = {}

    def create(
        self, tenant: str, *, usd_per_day: float | None = None, rpm: int | None = None
    ) -> tuple[str, Key]:
        """A new key for a tenant, as text and as what is kept of it.

        Raises: ValueError: the tenant's name or a number is wrong.
        """
        if not _TENANT.fullmatch(tenant):
            raise ValueError(f"{tenant!r} is not a tenant's name: a-z, digits, _ -, up to 64")
        if usd_per_day is not None and not 0 < usd_per_day < 1e9:
            raise ValueError("a budget is a number of dollars above 0")
        if rpm is not None and rpm < 1:
            raise ValueError("rpm is a number of at least 1")
        key = Key(uuid.uuid4().hex[:12], tenant, usd_per_day, rpm, time.time())
        secret = secrets.token_urlsafe(32)
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(api_keys).values(
                    id=key.id, tenant=tenant, hash=_hash(secret), usd_per_day=usd_per_day, rpm=rpm,
                    created_at=key.created_at,
                )
            )  # fmt: skip
        return f"gmn_{key.id}_{secret}", key

    def all(self) -> list[Key]:
        """Every key, those that were revoked included; the oldest first."""
        wanted = sa.select(api_keys).order_by(api_keys.c.created_at)
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(wanted).mappings()]

    def revoke(self, key_id: str) -> bool:
        """Revoke a key; False where there is none of that id that is valid."""
        still = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        with writing(self._engine) as connection:
            done = connection.execute(
                sa.update(api_keys).where(still).values(revoked_at=time.time())
            )
        self._known.pop(key_id, None)
        return done.rowcount == 1

    def check(self, text: str) -> Key | None:
        """The key of a request; None where it is not valid."""
        found = _FORM.fullmatch(text)
        key_id, secret = found.groups() if found else ("", "")
        known = self._find(key_id) if found else None
        stored = known[1] if known else _hash("")
        # As long for an unknown key as for a wrong secret.
        is_right = hmac.compare_digest(_hash(secret), stored)
        return known[0] if known and is_right and known[0].revoked_at is None else None

    def _find(self, key_id: str) -> tuple[Key, str] | None:
        kept = self._known.get(key_id)
        if kept is not None and time.monotonic() - kept[0] < KNOWN_FOR_S:
            return kept[1]
        with reading(self._engine) as connection:
            wanted = sa.select(api_keys).where(api_keys.c.id == key_id)
            row = connection.execute(wanted).mappings().first()
            found = None
            if row:
                valid = (api_keys.c.tenant == row["tenant"]) & api_keys.c.revoked_at.is_(None)
                least = sa.select(sa.func.min(api_keys.c.usd_per_day)).where(valid)
                budget = connection.execute(least).scalar()
                found = (replace(_key(row), usd_per_day=budget), str(row["hash"]))
        if len(self._known) > 10_000:  # ids that somebody makes up
            self._known.clear()
        self._known[key_id] = (time.monotonic(), found)
        return found


def usd_per_day(text: str) -> float:
    """The dollars of ``5usd/day``.

    Raises: ValueError: it is written otherwise.
    """
    found = _MONEY.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a budget; write for example 5usd/day")
    return float(found[1])


def _hash(secret: str) -> str:
    # 32 random bytes cannot be guessed, so a slow hash would protect nothing more.
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: sa.RowMapping) -> Key:
    return Key(**{name: value for name, value in row.items() if name != "hash"})
