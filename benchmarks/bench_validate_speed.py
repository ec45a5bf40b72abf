"""Time to validate documents with 1e2, 1e4 and 1e6 numbers, and how it grows."""

from __future__ import annotations

import functools
import json
import math
import time
from pathlib import Path

import numpy as np

from benchmarks.ratio import seconds_of, spell
from orchestrator.generation.gmn_contract import GMNContract, Verdicts
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.validate import validate

LIBRARY = Path(__file__).parents[1] / "prompts/library"
GARBAGE = {"open brackets": b"{[(<", "half a node": b"a: [", "one bare word": b"aaaa"}
SIZES = (10, 100, 1000)  # one square table each: 1e2, 1e4, 1e6 numbers


def document(n: int) -> str:
    """A document with `n` states whose likelihood is a table of n * n numbers."""
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(n), size=n)
    return json.dumps(
        {
            "name": "chain",
            "states": [{"name": "s", "size": n}],
            "observations": [{"name": "o", "size": n}],
            "actions": [{"name": "u", "labels": ["stay"]}],
            "likelihoods": [
                {"of": "o", "given": ["s"], "table": {"kind": "rows", "rows": rows.tolist()}}
            ],
            "transitions": [{"of": "s", "given": ["s", "u"], "table": {"kind": "identity"}}],
            "preferences": [{"on": "o", "goals": [{"value": "1", "utility": 1.0}]}],
        }
    )


def judged() -> None:
    """Print the CPU time of judging a valid answer: read, checks, compile, run."""
    contract, first = GMNContract(), 0.0
    took = {}
    for path in sorted(LIBRARY.glob("*.gmn")):
        text = path.read_text(encoding="utf-8")
        start = time.process_time()
        assert contract.evaluate(text).report.is_accepted, path
        first = first or time.process_time() - start
        times = []
        for _ in range(15):
            start = time.process_time()
            contract.evaluate(text)
            times.append(time.process_time() - start)
        took[path.stem] = min(times)
    mean = sum(took.values()) / len(took)
    print(
        f"validate_speed: a good answer is judged in {spell(mean)} of CPU, mean of {len(took)}"
        f" curated documents; the 5x5 explorer in {spell(took['explorer'])}; the first document of"
        f" the process in {spell(first)}"
    )
    again = GMNContract(verdicts=Verdicts())
    again.evaluate(text)
    start = time.process_time()
    for at in range(1000):  # a new text each time, as an answer is
        again.evaluate(text[:at] + text[at:])
    print(
        f"validate_speed: a remembered verdict costs {spell((time.process_time() - start) / 1000)}"
    )


def main() -> None:
    """Print the cost of a judgement, seconds per number and the exponent between the sizes."""
    import dataclasses

    judged()

    limits = dataclasses.replace(
        HARD_LIMITS, document_bytes=64 * 2**20, written_numbers=10**7, table_entries=10**7
    )
    took: list[float] = []
    for n in SIZES:
        text = document(n)
        verdict = validate(text, limits=limits, run_steps=0)
        assert verdict.report.is_valid, verdict.report.errors[:3]
        work = functools.partial(validate, text, limits=limits, run_steps=0)
        seconds = min(seconds_of(work) for _ in range(5))
        took.append(seconds)
        print(f"validate_speed: {n * n:.0e} numbers in {spell(seconds)}")
    growth = math.log10(took[2] / took[1]) / 2
    print(f"validate_speed: from 1e4 to 1e6 numbers time grows as n^{growth:.2f} (linear is 1)")
    for name, garbage in GARBAGE.items():
        took = [
            min(
                seconds_of(functools.partial(validate, garbage * n, limits=HARD_LIMITS))
                for _ in range(3)
            )
            for n in (2**15, 2**18)
        ]
        growth = math.log2(took[1] / took[0]) / 3
        print(f"validate_speed: {name} of 1 MB in {spell(took[1])}, grows as n^{growth:.2f}")


if __name__ == "__main__":
    main()
