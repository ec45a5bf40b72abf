"""A program of the user's: without shell and secrets, bounded in time and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from orchestrator.agents.tasks.task import ScriptError
from orchestrator.types.leaving import to_its_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_BYTES = 2**20  # of an output
_MOST_OF_ERRORS = 2000  # bytes of what it said on stderr, from the end
_LAST_S = 1.0  # for what is left in a pipe that a daemon of the program keeps open
_KEPT = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT",
})  # fmt: skip


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: only variables that are known to hold no secret."""
    return {
        name: value for name, value in environ.items() if name in _KEPT or name.startswith("LC_")
    }


class _Run(asyncio.SubprocessProtocol):
    """What a running program has said."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.out, self.errors = bytearray(), b""
        #: Set when it has exited, or has said too much.
        self.over: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[None] = loop.create_future()
        #: Set when its pipes are closed as well.
        self.closed: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the output up to its limit, and the end of what is on stderr."""
        if fd == 2:  # stderr
            self.errors = (self.errors + data)[-_MOST_OF_ERRORS:]
        elif len(self.out) <= MOST_BYTES:
            self.out += data
        if len(self.out) > MOST_BYTES:
            _set(self.over)

    def process_exited(self) -> None:
        """It has ended, and was waited for."""
        _set(self.over)
        _set(self.exited)

    def connection_lost(self, exc: Exception | None) -> None:
        """All its pipes are closed."""
        _set(self.closed)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def run_script(
    arguments: Sequence[str], stdin: bytes, environ: Mapping[str, str], *, timeout_s: float
) -> str:
    """What a program prints; `stdin` is written to it, and need not be read.

    It runs in a process group of its own, all of which is killed when its first process has
    ended, after `timeout_s`, when it prints more than `MOST_BYTES`, and when the caller leaves.

    Raises: ScriptError: it cannot be run, was killed, ends with another code than 0, or its
        output is empty or not UTF-8.
    """
    loop, name = asyncio.get_running_loop(), arguments[0]
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            _Run, *arguments, env=without_keys(environ), start_new_session=True
        )
    )  # fmt: skip
    try:
        # A caller that leaves now must not leave behind what has just begun.
        transport, run = await asyncio.shield(starting)
        if (pipe := transport.get_pipe_transport(0)) is not None:
            pipe.write(stdin)  # type: ignore[attr-defined]  # a WriteTransport
            pipe.close()  # after what was written
        async with asyncio.timeout(timeout_s):
            await run.over
    except OSError as error:
        if isinstance(error, TimeoutError):
            words = f"{name} did not end within {timeout_s:g} s and was killed"
            raise ScriptError(words) from None
        raise ScriptError(f"{name} cannot be run: {error.strerror or error}") from None
    finally:
        await to_its_end(_end(starting))
    return _output_of(name, run, transport.get_returncode())


async def _end(starting: asyncio.Future[tuple[asyncio.SubprocessTransport, _Run]]) -> None:
    """Kill the group of a program, wait for it, and close its pipes."""
    try:
        transport, run = await starting
    except OSError:  # it never began
        return
    # The program may have been waited for already. Its number is not another's: numbers go round,
    # and come back after tens of thousands.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(transport.get_pid(), signal.SIGKILL)
    try:
        await run.exited
        # What left the group may keep the pipes open: what is in them by now is all.
        await asyncio.wait([run.closed], timeout=_LAST_S)
    finally:
        transport.close()


def _output_of(name: str, run: _Run, code: int | None) -> str:
    said = run.errors.decode(errors="replace").strip()
    last = f"; it said: {said}" if said else ""
    if len(run.out) > MOST_BYTES:
        raise ScriptError(f"{name} printed more than {MOST_BYTES} bytes and was killed{last}")
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        raise ScriptError(f"{name} {how}{last}")
    try:
        text = run.out.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ScriptError(f"{name} printed what is not UTF-8, at byte {error.start}") from None
    if not text.strip():
        raise ScriptError(f"{name} ended well and printed nothing{last}")
    return text
