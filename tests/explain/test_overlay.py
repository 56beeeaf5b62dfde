"""The overlay colours warm regions of an image and no others."""

import numpy as np
import pytest

from skinlesion.explain.overlay import COLOURS, STRONGEST, overlay

GREY = np.full((40, 60, 3), 120, np.uint8)


def test_heat_0_changes_nothing_and_heat_1_has_the_last_colour() -> None:
    np.testing.assert_array_equal(overlay(GREY, np.zeros((3, 3), np.float32)), GREY)
    drawn = overlay(GREY, np.ones((3, 3), np.float32))
    assert drawn.dtype == np.uint8
    assert np.abs(drawn - ((1 - STRONGEST) * 120 + STRONGEST * COLOURS[-1])).max() <= 1


@pytest.mark.parametrize(("cell", "centre"), [((0, 2), (5, 50)), ((3, 0), (35, 10)), ((1, 1), (15, 30))])
def test_each_value_colours_the_middle_of_its_cell(cell: tuple[int, int], centre: tuple[int, int]) -> None:
    """A map of 4 x 3 on an image of 40 x 60: each cell covers 10 x 20 px."""
    heat = np.zeros((4, 3), np.float32)
    heat[cell] = 1
    change = np.abs(overlay(GREY, heat).astype(int) - GREY).max(axis=2)
    rows, columns = np.nonzero(change > 0.98 * change.max())
    assert (abs(rows.mean() - centre[0] + 0.5) <= 5, abs(columns.mean() - centre[1] + 0.5) <= 10) == (True, True)
    assert change[abs(np.arange(40) - centre[0]) > 20].max() < 10


def test_warmer_is_lighter() -> None:
    """So a printout without colours shows it too."""
    ramp = overlay(np.zeros((4, 64, 3), np.uint8), np.linspace(0, 1, 64, dtype=np.float32)[None])
    assert (np.diff(ramp[0].mean(axis=1)) >= -1).all()
