"""The expectations of the curated models: their episodes as one batch, against one after another.

Time is that of the processor. Both include the preparation of the model's arrays.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.gmn.acting.expectations import expectations_of, measure
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.walk import EPISODES
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.validate import validate

LIBRARY = Path(__file__).parent.parent / "prompts" / "library"
ROUNDS = 5


def seconds(work: Callable[..., object], *given: object) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work(*given)
    return time.process_time() - start


def alone(model: Compiled, steps: int) -> None:
    """The same episodes one after another."""
    engine = Engine(model)
    for seed in range(EPISODES):
        simulate(engine, steps=steps, seed=seed, keep_choices=False)


def main() -> None:
    """Print one line for each model, from rounds in turn."""
    for path in sorted(LIBRARY.glob("*.gmn")):
        found = validate(path.read_text(encoding="utf-8"), run_steps=0)
        if found.spec is None or found.compiled is None:
            raise SystemExit(f"{path} is not valid")
        model, wanted = found.compiled, expectations_of(found.spec)
        steps = max(one.steps for one in wanted)
        pairs = [
            (seconds(measure, model, wanted), seconds(alone, model, steps)) for _ in range(ROUNDS)
        ]
        batch, each = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"expectations: {path.stem}, {EPISODES} episodes of {steps} steps: {batch * 1e3:.1f} ms"
            f" as a batch, {each * 1e3:.1f} ms one after another, ratio {ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
