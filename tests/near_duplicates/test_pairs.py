"""A copy of an image is found, however it was rescaled, turned, mirrored or compressed; another image is not."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.near_duplicates import pairs as near_duplicates
from skinlesion.near_duplicates.pairs import (
    DISTANCE,
    FEATURES,
    FINGERPRINT,
    count_matches,
    fingerprint,
    fingerprints,
    near_pairs,
    search,
)

IMAGES = 12


def draw(seed: int, side: int = 128) -> np.ndarray:
    """Draw a lesion: blots on skin, with noise of every size."""
    random = np.random.default_rng(seed)
    image = np.full((side, side, 3), (215, 170, 150), np.float32)
    for size, strength in ((side // 2, 25), (side // 8, 40), (3, 60)):
        noise = random.normal(0, strength, (side // size + 2, side // size + 2)).astype(np.float32)
        image += cv2.resize(noise, (side, side), interpolation=cv2.INTER_LINEAR)[:, :, None]
    centre = tuple(int(x) for x in random.integers(side // 3, 2 * side // 3, 2))
    lesion = cv2.ellipse(np.zeros((side, side), np.float32), centre, (side // 4, side // 6), 30, 0, 360, 80, -1)
    return (image - lesion[:, :, None]).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{seed}.png" for seed in range(IMAGES)]
    for seed, path in enumerate(paths):
        Image.fromarray(draw(seed)).save(path)
    return paths


@pytest.fixture(scope="module")
def drawn(files: list[Path]) -> np.ndarray:
    return fingerprints(files)


@pytest.mark.parametrize(
    ("side", "turns", "mirrored"), [(80, 0, True), (80, 3, False), (128, 2, True), (224, 1, False), (224, 1, True)]
)
def test_a_copy_is_found_among_other_images(
    side: int, turns: int, mirrored: bool, drawn: np.ndarray, tmp_path: Path
) -> None:
    image = np.rot90(draw(5)[:, :: -1 if mirrored else 1], turns)
    copy = tmp_path / "copy.jpg"
    Image.fromarray(image).resize((side, side)).save(copy, quality=70)
    planted = fingerprints([copy])
    assert indices(near_pairs(drawn, planted)) == [(5, 0)]
    near = near_pairs(np.concatenate([drawn, planted]))
    assert indices(near) == [(5, IMAGES)]
    assert 0 <= near["distance"].item() < 0.75


def indices(near: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(near["i"], near["j"], strict=True))


def test_different_images_are_no_pair(drawn: np.ndarray) -> None:
    assert near_pairs(drawn).empty


def test_both_orders_of_two_sets_give_the_same_pairs_closest_first(drawn: np.ndarray) -> None:
    blurred = fingerprint(cv2.resize(draw(4), (60, 60), interpolation=cv2.INTER_AREA))
    copies = np.concatenate([blurred[None], drawn[5:]])
    near = near_pairs(drawn[:8], copies)
    assert indices(near) == [(5, 1), (6, 2), (7, 3), (4, 0)]
    assert near["distance"].iloc[2] == 0 < near["distance"].iloc[3] <= DISTANCE
    assert {*indices(near_pairs(copies, drawn[:8]))} == {(j, i) for i, j in indices(near)}


def test_every_image_of_either_set_has_its_candidates(drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "CANDIDATES", 0)  # and one more, as an image may find itself
    one, three = drawn[[5]], drawn[[5, 5, 5]]
    assert list(near_pairs(one, three)["j"]) == list(near_pairs(three, one)["i"]) == [0, 1, 2]


def test_candidates_give_what_all_pairs_give(drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = np.concatenate([drawn, drawn[:4]])
    monkeypatch.setattr(near_duplicates, "CANDIDATES", 5)
    plain = twice["features"][:, 0]
    distances = {(i, j): 1 - count_matches(plain[i], plain[j]) / FEATURES for i, j in combinations(range(16), 2)}
    expected = {pair: distance for pair, distance in distances.items() if distance <= DISTANCE}
    near = near_pairs(twice)
    assert dict(zip(indices(near), near["distance"], strict=True)) == expected
    assert len(expected) == 4


def test_the_search_finds_nearly_all_that_a_comparison_with_all_finds() -> None:
    random = np.random.default_rng(0)
    smooth = random.normal(size=(4000, 4, 4)).astype(np.float32)
    thumbnails = np.stack([cv2.resize(picture, (16, 16), interpolation=cv2.INTER_CUBIC) for picture in smooth])
    thumbnails /= np.linalg.norm(thumbnails, axis=(1, 2), keepdims=True)
    copies = np.rot90(thumbnails[:200, :, ::-1], axes=(1, 2)) + random.normal(0, 0.02, (200, 16, 16)).astype(np.float32)
    near = search(np.ascontiguousarray(copies), thumbnails).groupby("i").head(1)
    assert np.mean(near["j"].to_numpy() == near["i"].to_numpy()) > 0.98
    assert near["mirrored"].all()


@pytest.mark.parametrize("number", [1, 6, 7, 12, 40])
def test_few_images_are_all_compared(number: int) -> None:
    thumbnails = np.random.default_rng(0).normal(size=(number, 16, 16)).astype(np.float32)
    similar = search(thumbnails, thumbnails)
    assert len(similar) == number * min(number, 11)
    assert {*similar.groupby("i")["j"].first().items()} == {(i, i) for i in range(number)}


def test_plain_images_and_empty_sets_have_no_pairs(drawn: np.ndarray) -> None:
    plain, empty = np.tile(fingerprint(np.full((50, 60, 3), 120, np.uint8)), 2), np.empty(0, FINGERPRINT)
    pairs = ((plain, None), (plain[:1], drawn), (drawn, plain[:1]), (empty, drawn), (drawn, empty), (empty, None))
    for first, second in pairs:
        assert near_pairs(first, second).empty


def test_without_a_set_to_compare_with_no_image_is_read(tmp_path: Path) -> None:
    there, missing = ["a", "b"], tmp_path / "missing"
    for first, second in ((there, []), ([], there)):
        pairs = near_duplicates.list_pairs(missing, first, missing, second)
        assert list(pairs) == near_duplicates.COLUMNS
        assert pairs.empty
