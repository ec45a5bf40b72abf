"""The scheduler of batches over simulated providers, in virtual time: the same on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale.scenes import simulated

pytestmark = pytest.mark.may_block  # as a simulation does

#: Of what the limits of the providers allow, by 20,000 rows; the first ones still look for them.
FEWEST = {"requests": 0.97, "tokens": 0.96, "three": 0.95, "faults": 0.95, "outage": 0.9}


def test_a_short_batch_uses_most_of_what_the_limits_of_three_providers_allow() -> None:
    found = simulated("three", 6_000)
    assert (found.done, found.failed, found.paid_twice) == (6_000, 0, 0)
    assert 0.9 <= found.of_the_limit <= 1


@pytest.mark.slow
@pytest.mark.parametrize("scene", sorted(FEWEST))
def test_a_longer_one_does_in_every_scene(scene: str) -> None:
    found = simulated(scene, 20_000)
    assert found.done + found.failed == 20_000
    assert found.paid_twice == 0
    assert FEWEST[scene] <= found.of_the_limit <= 1


def test_a_batch_killed_five_times_pays_twice_at_most_what_was_in_flight(tmp_path: Path) -> None:
    found = simulated("kills", 600, journal=tmp_path / "journal")
    assert (found.done, found.failed) == (600, 0)
    assert 0 < found.paid_twice <= found.most_paid_twice
