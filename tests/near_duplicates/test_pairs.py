"""A copy of an image is found, however it was rescaled, turned, mirrored or compressed; another image is not."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from skinlesion.near_duplicates import pairs as near_duplicates
from skinlesion.near_duplicates.pairs import (
    DISTANCE,
    FEATURES,
    Fingerprint,
    count_matches,
    fingerprint,
    fingerprints,
    near_pairs,
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
def drawn(files: list[Path]) -> list[Fingerprint]:
    return fingerprints(files)


@pytest.mark.parametrize(
    ("side", "turns", "mirrored"), [(80, 0, True), (80, 3, False), (128, 2, True), (224, 1, False), (224, 1, True)]
)
def test_a_copy_is_found_among_other_images(
    side: int, turns: int, mirrored: bool, drawn: list[Fingerprint], tmp_path: Path
) -> None:
    image = np.rot90(draw(5)[:, :: -1 if mirrored else 1], turns)
    copy = tmp_path / "copy.jpg"
    Image.fromarray(image).resize((side, side)).save(copy, quality=70)
    planted = fingerprints([copy])
    first, second, distances = near_pairs(drawn, planted)
    assert (list(first), list(second)) == ([5], [0])
    assert 0 <= distances[0] < 0.75
    first, second, _ = near_pairs([*drawn, *planted])
    assert (list(first), list(second)) == ([5], [IMAGES])


def test_different_images_are_no_pair(drawn: list[Fingerprint]) -> None:
    assert [len(part) for part in near_pairs(drawn)] == [0, 0, 0]


def test_both_orders_of_two_sets_give_the_same_pairs_closest_first(drawn: list[Fingerprint]) -> None:
    blurred = fingerprint(cv2.resize(draw(4), (60, 60), interpolation=cv2.INTER_AREA))
    copies = [blurred, *drawn[5:]]
    first, second, distances = near_pairs(drawn[:8], copies)
    assert list(zip(first, second, strict=True)) == [(5, 1), (6, 2), (7, 3), (4, 0)]
    assert distances[2] == 0 < distances[3] <= DISTANCE
    again = near_pairs(copies, drawn[:8])
    assert {*zip(again[1], again[0], strict=True)} == {*zip(first, second, strict=True)}


def test_every_image_of_either_set_has_its_candidates(
    drawn: list[Fingerprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "CANDIDATES", 1)
    assert (
        list(near_pairs([drawn[5]], [drawn[5]] * 3)[1]) == list(near_pairs([drawn[5]] * 3, [drawn[5]])[0]) == [0, 1, 2]
    )


@pytest.mark.parametrize("block", [1, 5, 512])
def test_blocks_give_what_all_pairs_give(block: int, drawn: list[Fingerprint], monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [*drawn, *drawn[:4]]
    monkeypatch.setattr(near_duplicates, "BLOCK", block)
    monkeypatch.setattr(near_duplicates, "CANDIDATES", 5)
    first, second, distances = near_pairs(twice)
    matches = {pair: count_matches(twice[pair[0]], twice[pair[1]], False) for pair in combinations(range(16), 2)}
    expected = {pair: 1 - n / FEATURES for pair, n in matches.items() if 1 - n / FEATURES <= DISTANCE}
    assert dict(zip(zip(first, second, strict=True), distances, strict=True)) == expected
    assert len(expected) == 4


def test_plain_images_and_empty_sets_have_no_pairs(drawn: list[Fingerprint]) -> None:
    plain = fingerprint(np.full((50, 60, 3), 120, np.uint8))
    for first, second in (([plain, plain], None), ([plain], drawn), ([], drawn), (drawn, []), ([], None)):
        assert [len(part) for part in near_pairs(first, second)] == [0, 0, 0]
