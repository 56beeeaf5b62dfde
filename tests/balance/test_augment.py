"""Each operation does what its word says; a recipe is drawn within the ranges and says all that is applied."""

from collections.abc import Callable

import numpy as np
import pytest

from skinlesion.balance import augment
from skinlesion.runtime.params.sections import Operations

Noise = Callable[..., np.ndarray]
OFF = dict.fromkeys(Operations.model_fields, 0)
GEOMETRY = ("rotate", "flip_horizontal", "flip_vertical", "zoom", "shift")


def draws(number: int, **ranges: float) -> list[dict[str, list[float]]]:
    """So many recipes, drawn with the operations that are named, as word -> values."""
    random = np.random.default_rng(5)
    recipes = [augment.draw(Operations(**OFF | ranges), random) for _ in range(number)]
    return [parsed(recipe) for recipe in recipes]


def parsed(recipe: str) -> dict[str, list[float]]:
    pairs = [word.partition("=") for word in recipe.split()]
    return {name: [float(value) for value in values.split(",") if value] for name, _, values in pairs}


def spot(side: int, top: int, left: int, size: int) -> np.ndarray:
    """A white square on black."""
    image = np.zeros((side, side, 3), np.uint8)
    image[top : top + size, left : left + size] = 255
    return image


def box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is lighter than middle grey."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("rotate=+90.0", lambda image: np.rot90(image, 1)),
        ("rotate=-90.0", lambda image: np.rot90(image, -1)),
        ("rotate=+180.0", lambda image: np.rot90(image, 2)),
        ("flip_horizontal", np.fliplr),
        ("flip_vertical", np.flipud),
        ("flip_horizontal flip_vertical", lambda image: np.rot90(image, 2)),
        ("rotate=+90.0 flip_horizontal", lambda image: np.fliplr(np.rot90(image, 1))),
        (
            "rotate=+0.0 zoom=1.000 shift=+0.000,-0.000 contrast=1.000 brightness=1.000",
            lambda image: image,
        ),
    ],
)
def test_turns_and_flips_move_pixels_and_change_none(recipe: str, expected: Callable, side: int, noise: Noise) -> None:
    image = noise(1, side, side)
    np.testing.assert_array_equal(augment.apply(recipe, image), expected(image))


def test_a_rotation_between_right_angles_turns_about_the_centre() -> None:
    """A spot to the right of the centre goes up, counter-clockwise, and keeps its distance."""
    image = spot(129, 62, 84, 5)  # 22 px right of the centre (64, 64)
    top, left, height, width = box(augment.apply("rotate=+45.0", image))
    assert abs(top + (height - 1) / 2 - (64 - 22 / 2**0.5)) <= 0.5
    assert abs(left + (width - 1) / 2 - (64 + 22 / 2**0.5)) <= 0.5


def test_shift_moves_right_and_down_by_parts_of_the_side(noise: Noise) -> None:
    image = noise(1, 32, 32)
    shifted = augment.apply("shift=+0.250,+0.125", image)
    np.testing.assert_array_equal(shifted[4:, 8:], image[:-4, :-8])
    shifted = augment.apply("shift=-0.250,-0.125", image)
    np.testing.assert_array_equal(shifted[:-4, :-8], image[4:, 8:])


@pytest.mark.parametrize(("factor", "expected"), [("2.000", (16, 16, 32, 32)), ("0.750", (26, 26, 12, 12))])
def test_zoom_magnifies_about_the_centre(factor: str, expected: tuple[int, ...]) -> None:
    magnified = box(augment.apply(f"zoom={factor}", spot(64, 24, 24, 16)))
    assert np.abs(np.subtract(magnified, expected)).max() <= 1


def test_brightness_multiplies_and_stays_in_range() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.dstack([image] * 3)
    for factor in (0.5, 0.91, 1.1, 1.9):
        expected = np.clip(np.rint(image * factor), 0, 255)
        np.testing.assert_array_equal(augment.apply(f"brightness={factor:.3f}", image), expected)


def test_contrast_widens_about_the_mean_of_the_image() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8], image[8:] = 60, 100  # the mean is 80
    widened = augment.apply("contrast=1.500", image)
    assert (widened[:8] == 50).all()
    assert (widened[8:] == 110).all()
    assert (augment.apply("contrast=0.500", image)[:8] == 70).all()
    assert (augment.apply("contrast=9.000", image)[:8] == 0).all(), "-100 is cut at 0"


def test_operations_follow_one_another() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8], image[8:] = 60, 100
    both = augment.apply("contrast=1.500 brightness=2.000", image)
    assert (both[:8] == 100).all()
    assert (both[8:] == 220).all()
    turned = augment.apply("rotate=+90.0 brightness=2.000", image)
    np.testing.assert_array_equal(turned, np.rot90(image * 2))


def test_geometry_leaves_no_black_corners() -> None:
    """A bright image of one colour stays as it is, however it is turned, moved and shrunk."""
    image = np.full((32, 32, 3), (250, 240, 230), np.uint8)
    ranges = {
        "rotate": 180,
        "flip_horizontal": 0.5,
        "flip_vertical": 0.5,
        "zoom": 0.6,
        "shift": 0.6,
    }
    random = np.random.default_rng(5)
    for _ in range(100):
        recipe = augment.draw(Operations(**OFF | ranges), random)
        np.testing.assert_array_equal(augment.apply(recipe, image), image, err_msg=recipe)


def test_a_recipe_says_all_that_is_applied(noise: Noise, settings) -> None:
    """The words alone remake the copy; the original is left as it was; two recipes make two copies."""
    image = noise(1, 32, 32)
    before = image.copy()
    random = np.random.default_rng(5)
    recipes = [augment.draw(settings.balance.operations, random) for _ in range(50)]
    copies = [augment.apply(recipe, image) for recipe in recipes]
    for recipe, copy in zip(recipes, copies, strict=True):
        assert copy.shape == image.shape
        assert copy.dtype == np.uint8
        np.testing.assert_array_equal(augment.apply(" ".join(recipe.split()), image), copy)
        assert (copy != image).any(), recipe
    np.testing.assert_array_equal(image, before)
    assert len(set(recipes)) == len({copy.tobytes() for copy in copies}) == 50


@pytest.mark.parametrize(
    ("name", "limit", "low", "high", "values"),
    [
        ("rotate", 30, -30, 30, 1),
        ("brightness", 0.2, 0.8, 1.2, 1),
        ("contrast", 0.3, 0.7, 1.3, 1),
        ("zoom", 0.15, 0.85, 1.15, 1),
        ("shift", 0.05, -0.05, 0.05, 2),
    ],
)
def test_values_fill_their_range_and_stay_in_it(name: str, limit: float, low: float, high: float, values: int) -> None:
    drawn = np.array([words[name] for words in draws(500, **{name: limit})])
    assert drawn.shape == (500, values)
    assert drawn.min() >= low
    assert drawn.max() <= high
    tenth = (high - low) / 10
    assert (drawn.min(axis=0) < low + tenth).all()
    assert (drawn.max(axis=0) > high - tenth).all()
    assert (np.abs(drawn.mean(axis=0) - (low + high) / 2) < tenth).all()


@pytest.mark.parametrize("name", ["flip_horizontal", "flip_vertical"])
def test_flips_come_with_their_probability(name: str) -> None:
    flipped = [name in words for words in draws(2000, rotate=10, **{name: 0.3})]
    assert 0.27 < np.mean(flipped) < 0.33


def test_the_two_numbers_of_a_shift_are_drawn_apart() -> None:
    shifts = np.array([words["shift"] for words in draws(300, shift=0.5)])
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2


@pytest.mark.parametrize("name", Operations.model_fields)
def test_an_operation_at_0_is_never_drawn(name: str) -> None:
    others = dict.fromkeys(Operations.model_fields, 0.5) | {name: 0}
    recipes = draws(200, **others)
    drawn = {word for words in recipes for word in words}
    assert drawn == set(Operations.model_fields) - {name}


@pytest.mark.parametrize("ranges", [{"flip_vertical": 0.02}, {"flip_horizontal": 0.02, "flip_vertical": 0.02}])
def test_no_recipe_is_empty(ranges: dict[str, float]) -> None:
    assert all(draws(200, **ranges))


def test_the_table_has_the_operations_of_the_params() -> None:
    assert set(augment.OPERATIONS) == set(Operations.model_fields)
    for name, operation in augment.OPERATIONS.items():
        assert (operation.geometry is not None) == (name in GEOMETRY)
        assert (operation.geometry is None) != (operation.tone is None)
