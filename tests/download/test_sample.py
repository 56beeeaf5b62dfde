"""The sample has HAM10000's layout and its traps, and mean colour does not tell the classes apart."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.download import sample
from skinlesion.drawing import cohorts
from skinlesion.drawing.lesion import STRUCTURES
from tests.helpers.chain import ROOT

SEED = 7
COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("sample")
    sample.make_sample(target, SEED)
    return target


@pytest.fixture(scope="module")
def metadata(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "HAM10000_metadata.csv")


@pytest.fixture(scope="module")
def images(folder, metadata) -> np.ndarray:
    """The written images in the order of the metadata: uint8 (N, 150, 200, 3)."""
    paths = {path.stem: path for path in folder.glob("*/*.jpg")}
    return np.stack([cv2.imread(str(paths[name])) for name in metadata.image_id])


def test_the_layout_is_that_of_ham10000(folder, metadata, images):
    assert sorted(path.name for path in folder.iterdir()) == [*sample.PARTS, "HAM10000_metadata.csv"]
    parts = [sorted(path.stem for path in (folder / part).iterdir()) for part in sample.PARTS]
    assert abs(len(parts[0]) - len(parts[1])) <= 1
    assert parts[0] + parts[1] == sorted(metadata.image_id)
    for names in parts:
        assert set(metadata[metadata.image_id.isin(names)].dx) == set(CODES)
    assert list(metadata.columns) == COLUMNS
    assert metadata.image_id.is_unique
    assert metadata.image_id.str.fullmatch(r"SYN_\d{7}").all()
    assert images.shape[1:] == (150, 200, 3)


def test_classes_are_imbalanced_and_none_is_too_small(metadata):
    lesions = metadata.groupby("dx").lesion_id.nunique()
    assert len(metadata) >= 500
    assert set(lesions.index) == set(CODES)
    assert lesions.min() >= 14
    assert lesions.max() == lesions["nv"] >= 10 * lesions.min()


def test_a_quarter_of_the_lesions_has_several_views_which_differ(metadata, images):
    lesions = metadata.groupby("lesion_id")
    assert 0.2 < (lesions.size() > 1).mean() < 0.3
    assert set(lesions.size()) == {1, 2, 3, 4}
    assert (lesions[COLUMNS[2:]].nunique(dropna=False) == 1).all(axis=None)  # of one patient
    for _, rows in list(lesions.indices.items())[:40]:
        for row, next_row in pairwise(rows):
            assert np.abs(images[row].astype(int) - images[next_row]).mean() > 2


def test_metadata_has_the_gaps_and_values_of_ham10000(metadata):
    malignant = metadata.dx.isin([diagnosis.code for diagnosis in DIAGNOSES if diagnosis.malignant])
    assert metadata.age.isna().any()
    assert (metadata.age.dropna() % 5 == 0).all()
    assert set(metadata.sex) == {"male", "female", "unknown"}
    assert "unknown" in set(metadata.localization) <= set(cohorts.SITES)
    assert set(metadata.dx_type) == {"histo", "follow_up", "consensus", "confocal"}
    assert set(metadata[malignant].dx_type) == {"histo"}


def test_an_image_depends_on_the_seed_and_itself_only(folder):
    for view in sample.sample_views()[::87]:
        (path,) = folder.glob(f"*/{view.image_id}.jpg")
        assert path.read_bytes() == sample.draw_jpeg(view, SEED) != sample.draw_jpeg(view, SEED + 1)


def test_another_seed_changes_the_patients_but_no_id(metadata):
    other = pd.DataFrame(sample.metadata_row(view, SEED + 1) for view in sample.sample_views())
    assert other[COLUMNS[:3]].equals(metadata[COLUMNS[:3]])
    assert (other.localization != metadata.localization).mean() > 0.5


def test_the_duplicates_file_lists_the_planted_pairs(metadata):
    listed = pd.read_csv(ROOT / "presets" / "duplicates" / "sample.csv", comment="#")
    ids = {(view.physical, view.number): view.image_id for view in sample.sample_views()}
    planted = [tuple(sorted((ids[first, 0], ids[first, sample.SECOND_VISIT]))) for first, _ in sample.PLANTED]
    assert list(listed.itertuples(index=False, name=None)) == planted
    assert len(listed) == 4
    by_image = metadata.set_index("image_id")
    first, second = by_image.loc[listed.image_id_1], by_image.loc[listed.image_id_2]
    assert (first.lesion_id.to_numpy() != second.lesion_id.to_numpy()).all()
    assert (first.dx.to_numpy() == second.dx.to_numpy()).all()


def test_every_class_has_a_row_and_every_structure_a_class():
    assert sorted(cohort.dx for cohort in sample.COHORTS) == sorted(CODES)
    assert {name for cohort in sample.COHORTS for name in cohort.appearance.structures} == set(STRUCTURES)


@pytest.mark.parametrize(
    "classifier", [LogisticRegression(max_iter=2000, class_weight="balanced"), KNeighborsClassifier(3)]
)
def test_mean_colour_does_not_separate_the_classes(classifier, metadata, images):
    colour = np.hstack([images.mean(axis=(1, 2)), images.std(axis=(1, 2))])
    lesions = [view.physical for view in sample.sample_views()]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier)
    predicted = cross_val_predict(pipeline, colour, metadata.dx, groups=lesions, cv=folds)
    assert balanced_accuracy_score(metadata.dx, predicted) < 0.60
