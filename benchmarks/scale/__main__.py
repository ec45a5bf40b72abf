"""Simulated batches: `python -m benchmarks.scale [ROWS [SCENE]]`, by default 20,000 rows each."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.scale.scenes import SCENES, simulated


def main(arguments: list[str]) -> None:
    """Print a line for each scene."""
    count = int(arguments[0]) if arguments else 20_000
    for scene in arguments[1:] or SCENES:
        with tempfile.TemporaryDirectory() as folder:
            f = simulated(scene, count, journal=Path(folder) / "journal")
        early, late = f.rss_mb
        print(
            f"{scene:9} {count:,} rows: {f.of_the_limit:.1%} of what the limits allow,"
            f" {f.hours:.2f} h, {f.refusals_a_row:.2f} refusals a row, {f.failed} failed,"
            f" {f.paid_twice} paid twice (at most {f.most_paid_twice}), {f.cpu_us_a_row:.0f} µs of"
            f" CPU a row, {early:.0f} and {late:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
