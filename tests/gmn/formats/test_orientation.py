"""Axes are told apart by proof: shape first, then what sums to 1."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.formats.orientation import oriented


@given(st.permutations([2, 3, 4]), st.integers(0, 5), st.integers(0, 10**6))
def test_a_table_with_distinct_sizes_is_found_in_any_axis_order(
    sizes: list[int], which: int, seed: int
) -> None:
    table = np.random.default_rng(seed).dirichlet(np.ones(sizes[-1]), size=tuple(sizes[:-1]))
    shuffled = table.transpose(list(permutations(range(3)))[which])
    proof = oriented(shuffled, sizes)
    assert proof is not None
    assert not proof.is_ambiguous
    np.testing.assert_array_equal(proof.array, table)


def test_the_declared_order_wins_where_two_readings_differ() -> None:
    both = np.array([[0.2, 0.8], [0.8, 0.2]]) @ np.array([[0.0, 1.0], [1.0, 0.0]])
    skew = np.array([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]])
    assert oriented(both, (2, 2)) is not None
    proof = oriented(skew, (3, 3), prefer=(1, 0))
    assert proof is not None
    assert proof.is_ambiguous
    np.testing.assert_array_equal(proof.array, skew.T)


def test_equal_readings_are_no_ambiguity() -> None:
    proof = oriented(np.eye(3), (3, 3))
    assert proof is not None
    assert not proof.is_ambiguous


@pytest.mark.parametrize("sizes", [(2,), (2, 3), (3, 3)])
def test_what_fits_no_order_is_not_guessed(sizes: tuple[int, ...]) -> None:
    assert oriented(np.full((2, 2), 0.4), sizes) is None
    assert oriented(np.full((3, 3), 0.4), sizes) is None
