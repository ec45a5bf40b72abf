"""Where the command begins: under a handler for interrupts, before anything is imported."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys

INTERRUPTED = 130
#: New objects between two looks for garbage: the imports of no command make as many.
_OBJECTS_PER_COLLECTION = 250_000
#: The same of a process that has made so many: they are rows and requests then, and garbage. In a
#: batch of small documents those of 2,500 rows would wait, 40 MB.
_OBJECTS_OF_A_LONG_ONE = 10_000


def main() -> int:
    """Run the command line; an interrupt at any moment ends it with exit code 130."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:  # not in the background of a script, where it is ignored
        signal.signal(signal.SIGINT, _leave)
    gc.set_threshold(_OBJECTS_PER_COLLECTION)  # else 8 % of the CPU of `validate`
    if _looks_more_often not in gc.callbacks:
        gc.callbacks.append(_looks_more_often)
    if not {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"} & os.environ.keys():
        # Else numpy's OpenBLAS starts a thread for each further core, which waits for work in a
        # loop: a fifth of the CPU of `validate` with two. Nothing measured was quicker with them.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # Imported under that handler: Python reports an interrupted import with a traceback.
    from orchestrator.cli.main import main as run  # noqa: PLC0415
    from orchestrator.cli.output import close_doors  # noqa: PLC0415
    from orchestrator.types.own_process import OWN_PROCESS  # noqa: PLC0415

    try:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        close_doors()
        OWN_PROCESS.set(True)
        code = run()
    except KeyboardInterrupt:  # outside of any command
        code = INTERRUPTED
    finally:
        if is_heard:  # while threads end
            signal.signal(signal.SIGINT, _leave)
        gc.freeze()  # else Python frees every object as it ends: a fifth of the CPU of `validate`
    if code == INTERRUPTED:
        # Python would wait for threads, and end by signal 2 where an import was interrupted.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or full
                stream.flush()
        _leave()
    return code


def _looks_more_often(phase: str, info: dict[str, int]) -> None:
    """After its first look for garbage a process is a long one."""
    del info
    if phase == "stop":
        gc.callbacks.remove(_looks_more_often)
        gc.set_threshold(_OBJECTS_OF_A_LONG_ONE)


def _leave(*received: object) -> None:
    del received
    os._exit(INTERRUPTED)
