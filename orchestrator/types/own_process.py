"""What of this process belongs to one command, and to no program around it."""

from __future__ import annotations

from contextvars import ContextVar

#: Whether the process is a command's: what it has imported stays until its end.
OWN_PROCESS: ContextVar[bool] = ContextVar("OWN_PROCESS", default=False)
#: Whether an event loop has nothing to do but the calls of one command.
OWN_LOOP: ContextVar[bool] = ContextVar("OWN_LOOP", default=False)
