"""Merge: one table and one folder of equal squares, or one clear message and nothing changed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.core import images
from skinlesion.merge import merge
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from stages import merge as stage

Project = Callable[[dict], None]
Tree = Callable[[Path], dict[str, bytes]]
PAIRS = Path("presets/duplicates/pairs.csv")


@pytest.fixture
def plain(project: Project) -> Project:
    """The tiny project, with a list of three pairs; of one of them an image is not there."""
    PAIRS.write_text("image_id_1,image_id_2\nISIC_0001,ISIC_0002\nISIC_0003,ISIC_9999\nISIC_0003,ISIC_0004\n")

    def set_params(changes: dict) -> None:
        project({"data.duplicates": PAIRS.as_posix()} | changes)

    set_params({})
    return set_params


def image_file(image_id: str) -> Path:
    return next(paths.RAW.glob(f"*/{image_id}.jpg"))


def edit(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the raw metadata, every value text."""
    table = pd.read_csv(paths.RAW_METADATA, dtype=str, keep_default_na=False)
    change(table).to_csv(paths.RAW_METADATA, index=False)


def truncate() -> None:
    file = image_file("ISIC_0003")
    file.write_bytes(file.read_bytes()[:400])


def damage_many() -> None:
    for number in range(8):
        image_file(f"ISIC_000{number}").write_bytes(b"")


SPOILT = {
    "a truncated image": (truncate, "ISIC_0003.jpg", "on_bad_image: skip"),
    "eight damaged images": (damage_many, "(8)", "ISIC_0004.jpg", "and 3 more"),
    "an image without a row": (lambda: edit(lambda table: table[table["image_id"] != "ISIC_0003"]), "ISIC_0003.jpg"),
    "a missing column": (lambda: edit(lambda table: table.drop(columns="lesion_id")), "lesion_id"),
    "no list of duplicates": (PAIRS.unlink, "data.duplicates", "pairs.csv", "null"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_input_ends_with_one_message_and_changes_nothing(name: str, plain: Project, tree: Tree) -> None:
    spoil, *words = SPOILT[name]
    stage.main()
    before = tree(paths.MERGED), tree(Path("metrics")), sorted(Path("data").iterdir())
    assert len(before[0]) == 36
    spoil()
    with pytest.raises(UserError) as caught:
        stage.main()
    assert [word for word in words if word not in str(caught.value)] == []
    assert (tree(paths.MERGED), tree(Path("metrics")), sorted(Path("data").iterdir())) == before


def test_damaged_images_are_skipped_and_counted_where_wanted(plain: Project) -> None:
    plain({"data.on_bad_image": "skip"})
    whole = stage.main()
    truncate()
    image_file("ISIC_0010").write_bytes(b"")
    skipped = stage.main()
    table = pd.read_csv(paths.METADATA)
    assert whole["damaged_images_skipped"] == 0
    assert skipped["damaged_images_skipped"] == 2
    assert skipped["images"] == len(table) == 33
    assert skipped["images_per_class"]["akiec"] == whole["images_per_class"]["akiec"] - 1
    assert {"ISIC_0003", "ISIC_0010"}.isdisjoint(table["image_id"])
    assert {file.stem for file in paths.MERGED_IMAGES.iterdir()} == set(table["image_id"])
    assert (table["width"] == 40).all()
    assert skipped["duplicate_pairs_joined"] == 1, "an image of the second pair is skipped"
    assert json.loads(paths.DATA_METRICS.read_text()) == skipped


def test_a_class_without_images_is_named_in_a_warning_and_in_the_metrics(plain: Project, capsys) -> None:
    assert stage.main()["classes_without_images"] == []
    assert "warning" not in capsys.readouterr().err
    lost = set(pd.read_csv(paths.RAW_METADATA).query("dx in ('df', 'vasc')")["image_id"])
    edit(lambda table: table[~table["image_id"].isin(lost)])
    for image_id in lost:
        image_file(image_id).unlink()
    assert stage.main()["classes_without_images"] == ["df", "vasc"]
    assert "df, vasc" in capsys.readouterr().err
    assert json.loads(paths.DATA_METRICS.read_text())["images_per_class"]["df"] == 0


def test_the_table_has_every_row_with_its_part_group_and_size(plain: Project) -> None:
    metrics = stage.main()
    raw = pd.read_csv(paths.RAW_METADATA)
    table = pd.read_csv(paths.METADATA)
    assert list(table.columns) == merge.COLUMNS
    pd.testing.assert_frame_equal(table[raw.columns], raw)
    assert list(table["part"]) == [int(image_file(name).parent.name[-1]) for name in table["image_id"]]
    assert (table["width"] == 40).all()
    assert (table["height"] == 30).all()
    # ISIC_0001 is of lesion HAM_akiec1, as ISIC_0000 is; 2, 3 and 4 are the others of the class.
    assert list(table["group"][:5]) == ["HAM_akiec1"] * 3 + ["HAM_akiec3"] * 2
    assert (table["group"] == table["lesion_id"])[5:].all()
    assert metrics == json.loads(paths.DATA_METRICS.read_text())
    assert metrics == {
        "images": 35,
        "lesions": 28,
        "groups": 26,
        "images_per_class": dict.fromkeys(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"), 5),
        "classes_without_images": [],
        "damaged_images_skipped": 0,
        "duplicate_pairs_joined": 2,
        "missing": {"age": 7, "sex": 0, "localization": 28},
    }


def test_duplicates_may_be_left_apart(plain: Project) -> None:
    plain({"data.duplicates": None})
    metrics = stage.main()
    assert (metrics["groups"], metrics["duplicate_pairs_joined"]) == (28, 0)


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_every_image_is_its_original_fitted(fit: str, plain: Project) -> None:
    plain({"images.fit": fit, "images.size": 48})
    stage.main()
    files = sorted(paths.MERGED_IMAGES.iterdir())
    assert len(files) == 35
    for file in files:
        original = images.read(image_file(file.stem))
        made = np.asarray(Image.open(file))
        assert made.shape == (48, 48, 3)
        np.testing.assert_array_equal(made, images.fit(original, 48, fit))


def test_runs_are_equal_to_the_byte_whatever_the_order_of_the_rows(plain: Project, tree: Tree) -> None:
    stage.main()
    before = tree(paths.MERGED)
    edit(lambda table: table.sample(frac=1, random_state=0))
    stage.main()
    assert tree(paths.MERGED) == before


def test_real_data(real_raw: Path, tmp_path: Path, change: Callable) -> None:
    duplicates = Path("presets/duplicates/ham10000.csv")
    settings = change({"data.duplicates": duplicates.as_posix(), "images.size": 32})
    _, metrics = merge.merge(real_raw, tmp_path, settings.data, settings.images)
    assert metrics["images"] == 10_015
    assert metrics["images_per_class"] == {
        "akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142,
    }  # fmt: skip
    assert metrics["lesions"] == 7_470
    assert metrics["groups"] == 7_470 - 18
    assert metrics["duplicate_pairs_joined"] == 18
    assert metrics["damaged_images_skipped"] == 0
    assert metrics["missing"] == {"age": 57, "sex": 57, "localization": 234}
    assert len(list((tmp_path / "images").iterdir())) == 10_015
