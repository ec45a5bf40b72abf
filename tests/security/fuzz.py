"""`make fuzz`: random texts for every reader, for FUZZ_SECONDS, with bounds of time and memory.

hypothesis always; atheris, which is led by the branches that a text reaches, where it is installed.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import logging
import resource
import subprocess
import sys
import time
from typing import Any

MOST_SECONDS = 20  # for one text; then the stack is printed and the fuzzing fails
MOST_BYTES = 4 * 2**30  # of address space, of which LiteLLM and numpy take one


def by_hypothesis(seconds: float) -> None:
    """Every target in turn until the time is over."""
    from tests.security.targets import TARGETS  # not before atheris looks at it
    from tests.security.test_readers import fuzzed

    logging.disable()
    over, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < over:
        for name in TARGETS:
            if rounds and time.monotonic() >= over:
                break
            faulthandler.dump_traceback_later(max(4 * seconds, 10 * MOST_SECONDS), exit=True)
            fuzzed(name, examples=20, most_seconds=MOST_SECONDS)
        rounds += 1
    print(f"hypothesis: {rounds} rounds over {len(TARGETS)} readers, no fault")  # noqa: T201


def by_atheris(name: str, seconds: float) -> None:
    """One target; atheris ends the process, so each target has one of its own."""
    atheris: Any = importlib.import_module("atheris")  # not a dependency

    with atheris.instrument_imports(include=["orchestrator.parsing", "orchestrator.gmn"]):
        targets = importlib.import_module("tests.security.targets")

    def reads(raw: bytes) -> None:
        targets.run(targets.TARGETS[name], atheris.FuzzedDataProvider(raw).ConsumeUnicode(4096))

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds:.0f}", f"-timeout={MOST_SECONDS}"], reads
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz for the seconds of the command line."""
    seconds = float(sys.argv[1])
    if len(sys.argv) > 2:
        by_atheris(sys.argv[2], seconds)
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    has_atheris = importlib.util.find_spec("atheris") is not None
    by_hypothesis(seconds / 2 if has_atheris else seconds)
    if not has_atheris:
        print("atheris is not installed here (pip install atheris): hypothesis alone")  # noqa: T201
        return 0
    from tests.security.targets import TARGETS

    each = max(1.0, seconds / 2 / len(TARGETS))
    command = [sys.executable, "-m", "tests.security.fuzz", str(each)]
    return max(subprocess.run([*command, name], check=False).returncode for name in TARGETS)


if __name__ == "__main__":
    sys.exit(main())
