"""Repairs of numbers keep to their bands, change no valid row, and leave valid rows behind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from orchestrator.gmn import repairs

Array = NDArray[np.float64]

any_numbers = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats()
)


@st.composite
def distributions(draw: st.DrawFn) -> Array:
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=6))
    weights: Array = draw(arrays(np.float64, shape, elements=st.floats(1e-3, 1.0)))
    made: Array = weights / weights.sum(axis=1, keepdims=True)
    return made


@given(distributions())
def test_no_repair_changes_a_valid_table(rows: Array) -> None:
    for band in (repairs.SAFE_BAND, repairs.WIDE_BAND):
        made, changed = repairs.renormalised(rows, band=band)
        assert changed.size == 0
        np.testing.assert_array_equal(made, rows)
    made, changed = repairs.evened(rows)
    assert changed.size == 0
    np.testing.assert_array_equal(made, rows)
    np.testing.assert_array_equal(repairs.clipped(rows), rows)
    assert repairs.unnormalised(rows).size == 0
    assert not repairs.are_percentages(rows)
    assert not repairs.are_counts(rows)
    assert not repairs.is_turned(rows, repairs.other_reading(rows, [rows.shape[0]], 0))


@given(distributions(), st.lists(st.floats(0.5, 1.5), min_size=6, max_size=6))
def test_scaled_rows_are_valid_and_rows_beyond_the_band_stay(
    rows: Array, factors: list[float]
) -> None:
    off = rows * np.array(factors[: len(rows)])[:, None]
    made, changed = repairs.renormalised(off, band=repairs.SAFE_BAND)
    np.testing.assert_allclose(made[changed].sum(axis=1), 1.0)
    for row in range(len(off)):
        if row not in changed:
            np.testing.assert_array_equal(made[row], off[row])
            deviation = abs(off[row].sum() - 1.0)
            assert deviation > repairs.SAFE_BAND or deviation <= repairs.ROUNDING * off.shape[1]
        else:
            assert np.max(np.abs(made[row] - off[row])) <= repairs.SAFE_BAND + 1e-9
    assert repairs.renormalised(made, band=repairs.SAFE_BAND)[1].size == 0


@given(any_numbers)
def test_whatever_the_numbers_no_repair_raises_or_touches_a_row_it_cannot_read(
    rows: Array,
) -> None:
    legible = repairs.legible(rows)
    made, changed = repairs.renormalised(rows, band=repairs.WIDE_BAND)
    assert legible[changed].all()
    np.testing.assert_array_equal(made[~legible], rows[~legible])
    assert legible[repairs.unnormalised(rows)].all()
    assert isinstance(repairs.are_percentages(rows), bool)
    if repairs.are_counts(rows):
        assert repairs.is_stochastic(repairs.shares_of_counts(rows))
    assert repairs.is_turned(rows, rows.T) in (False, True)


@pytest.mark.parametrize(
    ("total", "band", "is_scaled"),
    [
        (1.02, repairs.SAFE_BAND, True),
        (0.98, repairs.SAFE_BAND, True),
        (1.0201, repairs.SAFE_BAND, False),
        (1.1, repairs.WIDE_BAND, True),
        (0.9, repairs.WIDE_BAND, True),
        (0.899, repairs.WIDE_BAND, False),
        (1 + 1e-10, repairs.SAFE_BAND, False),
    ],
)
def test_the_band_ends_where_it_says(total: float, band: float, *, is_scaled: bool) -> None:
    _, changed = repairs.renormalised(np.array([[total / 2, total / 2]]), band=band)
    assert (changed.size == 1) is is_scaled


def test_only_rounding_below_zero_is_clipped() -> None:
    rows = np.array([[1.0, -1e-12, -1e-9, -0.1]])
    np.testing.assert_array_equal(repairs.clipped(rows), [[1.0, 0.0, -1e-9, -0.1]])


def test_only_rows_of_nothing_but_zeros_become_uniform() -> None:
    made, changed = repairs.evened(np.array([[0.0, 0.0], [0.5, 0.0]]))
    np.testing.assert_array_equal(made, [[0.5, 0.5], [0.5, 0.0]])
    assert changed.tolist() == [0]
    assert repairs.evened(np.zeros((2, 0)))[1].size == 0


@pytest.mark.parametrize(
    ("rows", "percentages", "counts"),
    [
        ([[80.0, 20.0], [30.0, 70.0]], True, True),
        ([[33.3, 66.6], [50.0, 50.0]], True, False),
        ([[33.0, 64.0], [50.0, 50.0]], False, True),
        ([[8.0, 2.0], [3.0, 1.0]], False, True),
        ([[1.0, 0.0], [0.0, 1.0]], False, False),
        ([[1.0, 1.0], [0.0, 1.0]], False, True),
        ([[8.0, 2.0], [0.0, 0.0]], False, False),
        ([[8.0, -2.0], [3.0, 1.0]], False, False),
        ([[8.5, 2.0], [3.0, 1.0]], False, False),
        ([[float("inf"), 2.0], [3.0, 1.0]], False, False),
    ],
)
def test_percentages_and_counts_are_told_by_all_their_rows(
    rows: list[list[float]], *, percentages: bool, counts: bool
) -> None:
    assert repairs.are_percentages(np.array(rows)) is percentages
    assert repairs.are_counts(np.array(rows)) is counts


@given(distributions())
def test_a_transposed_square_is_known_unless_it_is_valid_either_way(rows: Array) -> None:
    n = min(rows.shape)
    square = rows[:n, :n] / rows[:n, :n].sum(axis=1, keepdims=True)
    turned = square.T
    assert repairs.is_turned(turned, turned.T) is not repairs.is_stochastic(turned)
    assert repairs.is_turned(100 * turned, 100 * turned.T) is not (
        repairs.are_percentages(100 * turned)
    )


@pytest.mark.parametrize("own", [0, 1, 2])
def test_the_own_value_changes_places_with_the_outcome_in_every_context(own: int) -> None:
    sizes = [2, 4]
    sizes.insert(own, 3)
    rows = np.random.default_rng(0).random((24, 3))
    other = repairs.other_reading(rows, sizes, own)
    assert other is not None
    for row in range(24):
        context = [int(index) for index in np.unravel_index(row, sizes)]
        for outcome in range(3):
            swapped = [*context]
            swapped[own] = outcome
            assert other[row, outcome] == rows[np.ravel_multi_index(swapped, sizes), context[own]]
    np.testing.assert_array_equal(repairs.other_reading(other, sizes, own), rows)


def test_there_is_no_other_reading_where_the_shape_rules_it_out() -> None:
    assert repairs.other_reading(np.zeros((6, 3)), [2, 3], None) is None
    assert repairs.other_reading(np.zeros((6, 3)), [2, 3], 0) is None
    assert not repairs.is_turned(np.zeros((6, 3)), None)
