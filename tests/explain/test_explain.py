"""The stage explain draws sheets of test images, copies included, and of near duplicates; the same bytes each time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.core import images, tables
from skinlesion.core.ham10000 import CODES
from skinlesion.explain import choices
from skinlesion.explain.gradcam import Explainer
from skinlesion.model import bundle, dataset, predictions
from skinlesion.model.calibration import Calibration
from skinlesion.model.predict import probabilities
from skinlesion.runtime import params, paths
from skinlesion.sheets import sheet
from skinlesion.train.network.build import build
from stages import balance, explain, external, merge, split
from tests.helpers import one_block
from tests.helpers.references import ALL_USUAL

CALIBRATION = Calibration(1.5, np.full(7, 1 / 7), np.full(7, 1 / 7))


@pytest.fixture
def splits(project: Callable) -> pd.DataFrame:
    """The splits of a tiny project, for which predictions of a model with random weights exist."""
    changes = {"split.protocol": "image", "split.train": 0.5, "split.validation": 0.1, "split.test": 0.4}
    project(changes | one_block.PARAMS)
    for stage in (merge, external, balance, split):
        stage.main()
    settings = params.load()
    model = build(settings.backbone, settings.head, 32, weights=None)
    bundle.save(bundle.Bundle(model, CALIBRATION, "crop", ALL_USUAL), paths.MODEL)
    splits, metadata = tables.read(paths.SPLITS), tables.read(paths.METADATA)
    raw = probabilities(model, dataset.load(splits, "test")[0], 32)
    tables.write(paths.PREDICTIONS, predictions.make_table("test", raw, CALIBRATION, 0, raw, splits, metadata))
    return splits


@pytest.mark.chain
def test_the_stage_draws_its_sheets(splits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tree: Callable) -> None:
    drawn, write = {}, sheet.write

    def spy(rows: list[sheet.Row], path: Path, title: str, note: str) -> None:
        drawn[path.name] = rows
        assert "Synthetic sample, drawn by code: not HAM10000" in title
        assert "protocol image" in note
        write(rows, path, title, note)

    labels: list[np.ndarray] = []
    heatmaps = Explainer.heatmaps
    monkeypatch.setattr(sheet, "write", spy)
    monkeypatch.setattr(Explainer, "heatmaps", lambda *words: labels.append(words[2]) or heatmaps(*words))
    explain.main()
    first = tree(paths.EXPLAIN_PLOTS)
    assert sorted(first) == sorted(drawn) == ["gradcam.png", "mistakes.png", "near_duplicates.png", "samples.png"]
    explain.main()
    assert tree(paths.EXPLAIN_PLOTS) == first

    table = predictions.select_split(tables.read(paths.PREDICTIONS), "test")
    explained = choices.choose_explained(choices.rank_predictions(table))
    assert [CODES[label] for label in labels[0]] == list(explained["predicted"]) != list(explained["dx"])
    test = splits[splits["split"] == "test"]
    assert test["augmented"].any()
    known = {images.read(Path(path)).tobytes() for path in test["path"]}
    assert drawn.pop("near_duplicates.png") == []
    for name, rows in drawn.items():
        shown = {picture.image[:, :32].tobytes() for row in rows for picture in row.pictures}
        assert shown and shown <= known, name
