"""What can be wrong with a message beside what a model does with it."""

from __future__ import annotations

from orchestrator.types.errors import OrchestratorError


class NotFoundError(OrchestratorError, LookupError):
    """There is no such conversation, turn or persona, or it is not this tenant's."""


class KeyInUseError(OrchestratorError, ValueError):
    """An idempotency key was used for another message."""


class EndedError(OrchestratorError, ValueError):
    """A conversation has ended and takes no more turns."""


class DatabaseError(OrchestratorError, OSError):
    """The database of conversations cannot be used now: gone, locked, full or not to be written."""
