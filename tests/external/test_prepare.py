"""An external set is resized as merge resizes, and refused where it would mislead."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.core import images, metadata, tables
from skinlesion.external import sample
from skinlesion.external.labelled import LabelledSet, empty
from skinlesion.external.prepare import prepare
from skinlesion.near_duplicates.pairs import list_pairs
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.sections import Images

MERGED = pd.DataFrame({"image_id": ["ISIC_9"], "lesion_id": ["HAM_9"]})
STRETCH = Images(size=16, fit="stretch")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def labelled(noise: Callable) -> Callable[..., LabelledSet]:
    """`labelled(ISIC_1=(20, 30))`: a set of images of these heights and widths; an empty tuple is no picture."""

    def make(lesion_id: str = "", **shapes: tuple[int, int]) -> LabelledSet:
        rows = {"image_id": list(shapes), "dx": "nv", "lesion_id": lesion_id}
        table = pd.DataFrame(dict.fromkeys(metadata.COLUMNS, "") | rows, index=range(len(shapes)))

        def read(image_id: str) -> BytesIO:
            content = BytesIO()
            content.name = f"{image_id}.jpg"
            if shapes[image_id]:
                Image.fromarray(noise(1, *shapes[image_id])).save(content, "PNG")
            return content

        return LabelledSet(table, read)

    return make


def test_images_are_fitted_and_an_image_is_its_own_group_where_no_lesion_is_known(
    labelled: Callable, target: Path, noise: Callable
) -> None:
    prepare(labelled(ISIC_1=(20, 30), ISIC_2=(24, 24)), MERGED, target, STRETCH)
    table = tables.read(target / "metadata.csv")
    assert list(table["group"]) == ["ISIC_1", "ISIC_2"]
    assert list(zip(table["width"], table["height"], strict=True)) == [(30, 20), (24, 24)]
    for name, shape in {"ISIC_1": (20, 30), "ISIC_2": (24, 24)}.items():
        expected = images.fit(noise(1, *shape), 16, "stretch")
        np.testing.assert_array_equal(images.read(target / "images" / f"{name}.png"), expected)


def test_the_group_is_the_lesion_where_it_is_known(labelled: Callable, target: Path) -> None:
    table = prepare(labelled(lesion_id="HAM_1", ISIC_1=(20, 30), ISIC_2=(20, 30)), MERGED, target, STRETCH)
    assert set(table["group"]) == {"HAM_1"}


def test_no_set_is_an_empty_table(target: Path) -> None:
    prepare(empty(), MERGED, target, STRETCH)
    assert tables.read(target / "metadata.csv").empty


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"ISIC_1": (20, 30), "ISIC_9": (20, 30)}, "image_ids of HAM10000 (1): ISIC_9"),
        ({"ISIC_1": (20, 30), "lesion_id": "HAM_9"}, "lesion_ids of HAM10000 (1): HAM_9"),
        ({"ISIC_1": (20, 30), "ISIC_2": ()}, "Damaged images in the external set (1): ISIC_2.jpg"),
    ],
)
def test_what_would_mislead_is_named(content: dict, words: str, labelled: Callable, target: Path) -> None:
    with pytest.raises(UserError) as caught:
        prepare(labelled(**content), MERGED, target, STRETCH)
    assert words in str(caught.value)


def test_squares_are_refused_only_where_they_would_be_cropped(labelled: Callable, target: Path) -> None:
    squares = labelled(ISIC_1=(24, 24), ISIC_2=(30, 30))
    with pytest.raises(UserError, match=r"squares.*images\.fit: stretch"):
        prepare(squares, MERGED, target, Images(size=16, fit="crop"))


def test_the_second_sample_has_every_class_and_another_camera() -> None:
    """Its pictures are redder at the same seed, and darker in the corners."""
    drawn = sample.make(seed=5)
    assert set(drawn.table["dx"]) == {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"}
    assert drawn.table["image_id"].is_unique
    pictures = np.stack([images.read(drawn.open(name)) for name in drawn.table["image_id"][::10]]).astype(float)
    assert (pictures[..., 0].mean(axis=(1, 2)) > 1.2 * pictures[..., 2].mean(axis=(1, 2))).all()
    assert pictures[:, :8, :8].mean() < 0.7 * pictures[:, 5:15, 95:105].mean()


def test_a_copy_is_found_though_smaller_turned_and_compressed_again(target: Path) -> None:
    """Of four drawn lesions, one is in both sets."""
    drawn = sample.make(seed=5)
    ids = list(drawn.table["image_id"][::25])
    copied = images.read(drawn.open(ids[2]))
    for name in ids:
        images.write_png(target / f"{name}.png", images.fit(images.read(drawn.open(name)), 128, "stretch"))
    content = BytesIO()
    Image.fromarray(np.rot90(images.fit(copied, 100, "stretch"))).save(content, "JPEG", quality=70)
    images.write_png(target / "copy.png", images.fit(images.read(content), 128, "stretch"))
    images.write_png(target / "other.png", images.fit(images.read(drawn.open("EXT_0000002")), 128, "stretch"))
    pairs = list_pairs(target, ["other", "copy"], target, ids)
    assert pairs[["image_id_1", "image_id_2"]].to_numpy().tolist() == [["copy", ids[2]]]
