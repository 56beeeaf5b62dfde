"""skinlesion predict: what it prints and writes, and its exit code."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.__main__ import main
from skinlesion.commands.predict import command
from skinlesion.core import images, tables
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model import bundle
from skinlesion.model.classify import RESEARCH_ONLY, Classifier
from skinlesion.runtime.params import Params
from tests.commands.demo.conftest import save_classifier
from tests.helpers.references import draw_squares

pytestmark = pytest.mark.training


@pytest.fixture(scope="session")
def saved(settings: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(settings, tmp_path_factory.mktemp("model"))


@pytest.fixture
def here(tmp_path: Path, saved: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a trained model and two folders of images, two of them with one name, as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("models/model.keras").symlink_to(saved)
    for number, name in enumerate(("a/one.png", "a/two.jpg", "b/one.png")):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(noise(number, 30, 40)).save(name)
    return tmp_path


def test_people_read_each_diagnosis_by_name_most_probable_first(here, capsys):
    assert main(["predict", "a/one.png", "--top", "7"]) == 0
    printed, errors = capsys.readouterr()
    for diagnosis in DIAGNOSES:
        (line,) = [line for line in printed.splitlines() if f" {diagnosis.name} ({diagnosis.code})" in line]
        assert ("malignant" in line) == diagnosis.malignant
    percents = [float(line.split()[-1].rstrip("%")) for line in printed.splitlines() if line.endswith("%")]
    assert percents == sorted(percents, reverse=True)
    assert len(percents) == 7
    assert sum(percents) == pytest.approx(100, abs=0.4)
    assert printed.count(RESEARCH_ONLY) == 1
    assert errors == ""


def test_programs_read_path_predicted_unlike_training_and_seven_probabilities(here, capsys):
    assert main(["predict", "b", "a", "--csv", "new/out.csv"]) == 0
    table = tables.read(here / "new" / "out.csv")
    assert list(table) == ["path", "predicted", "unlike_training", *CODES]
    assert [Path(path).as_posix() for path in table["path"]] == ["b/one.png", "a/one.png", "a/two.jpg"]
    values = table[list(CODES)].to_numpy()
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=4e-6)
    assert list(table["predicted"]) == [CODES[label] for label in values.argmax(axis=1)]
    assert "3 images: new/out.csv" in capsys.readouterr().out


def test_the_option_tta_averages_over_views(here, saved):
    for tta in (1, 8):
        assert main(["predict", "a/one.png", "--tta", str(tta), "--csv", f"{tta}.csv"]) == 0
    one, eight = (tables.read(here / f"{tta}.csv").loc[0, list(CODES)].to_dict() for tta in (1, 8))
    assert eight == pytest.approx(Classifier.load(saved).predict("a/one.png", tta=8), abs=2e-6)
    assert eight != pytest.approx(one, abs=1e-4)


def test_images_that_look_unlike_the_training_images_are_marked_and_counted(here, saved, capsys):
    """The model of `saved` was fitted to drawings of 64 px."""
    Path("mixed").mkdir()
    drawing = draw_squares(64, range(1))[0]
    images.write_png(Path("mixed/1.png"), drawing)
    images.write_png(Path("mixed/2.png"), drawing[20:44, 20:44])
    images.write_png(Path("mixed/3.png"), np.full((64, 64, 3), 128, np.uint8))
    assert main(["predict", "mixed", "--csv", "out.csv", "--top", "1"]) == 0
    marked = [("1.png", False), ("2.png", True), ("3.png", True)]
    table = tables.read(Path("out.csv"))
    assert [(Path(row.path).name, row.unlike_training) for row in table.itertuples()] == marked
    assert [(name, Classifier.load(saved).looks_unlike(here / "mixed" / name)) for name, _ in marked] == marked
    lines = capsys.readouterr().out.splitlines()
    after = {
        name: lines[number + 1] for number, line in enumerate(lines) for name, _ in marked if f"mixed/{name}" in line
    }
    assert [(name, "looks unlike" in line) for name, line in after.items()] == marked
    assert "2 of 3 images look unlike the training images: do not rely on their probabilities" in lines

    assert main(["predict", "mixed/1.png"]) == 0
    assert "unlike" not in capsys.readouterr().out
    assert main(["predict", "mixed/3.png"]) == 0
    assert "1 of 1 image looks unlike the training images" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [["path", "predicted", *CODES], ["path", "predicted", "unlike_training", *CODES]])
def test_a_csv_of_this_and_of_an_earlier_version_is_replaced(columns, here):
    Path("out.csv").write_text(",".join(columns) + "\n")
    assert main(["predict", "a/one.png", "--csv", "out.csv"]) == 0
    assert len(tables.read(Path("out.csv"))) == 1


@pytest.mark.parametrize(
    ("words", "rows", "texts"),
    [
        (["a", "b", "--top", "2"], 6, ["3 images: "]),
        (["a", "b", "--top", "1", "--csv", "out.csv"], 1, ["2 images more", "of 3 images"]),
        (["a", "--top", "1", "--csv", "out.csv"], 1, ["1 image more", "of 2 images"]),
        (["b", "--csv", "out.csv"], 3, ["of 1 image:"]),
    ],
)
def test_images_are_counted_and_listed(words, rows, texts, here, capsys, monkeypatch):
    monkeypatch.setattr(command, "PRINTED", 1)
    assert main(["predict", *words]) == 0
    printed = capsys.readouterr().out
    assert sum(line.endswith("%") for line in printed.splitlines()) == rows
    assert all(text in printed for text in texts)


def test_a_bad_image_is_named_and_skipped_and_the_exit_code_is_1(here, capsys):
    Path("a/three.jpg").write_text("not an image")
    Path("a/two.jpg").write_bytes(Path("a/two.jpg").read_bytes()[:300])
    assert main(["predict", "a", "--csv", "out.csv", "--gradcam", "cam"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "a/three.jpg" in first
    assert "a/two.jpg" in second
    assert list(pd.read_csv("out.csv")["path"]) == ["a/one.png"]
    assert [path.name for path in Path("cam").iterdir()] == ["one.png"]


def test_nothing_is_written_if_no_image_can_be_read(here, tree, capsys):
    Path("bad.jpg").touch()
    before = tree(here)
    assert main(["predict", "bad.jpg", "--csv", "out.csv", "--gradcam", "cam"]) == 1
    assert "bad.jpg" in capsys.readouterr().err
    assert tree(here) == before


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--csv", "a"], "a exists"),
        (["--csv", "a/one.png/x.csv"], "a/one.png"),
        (["--csv", "b/../a/one.png"], "a/one.png"),
        (["--csv", "link.png"], "a/one.png"),
        (["--csv", "hard.png"], "a/two.jpg"),
        (["--csv", "models/model.keras"], "model.keras"),
        (["--csv", "other.csv"], "other.csv"),
        (["--csv", "pipe"], "pipe"),
        (["--gradcam", "b/one.png/x"], "b/one.png"),
        (["--gradcam", "."], "a"),
        (["--gradcam", "models"], "model.keras"),
        (["--gradcam", "mine"], "one.png"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_no_input_and_no_file_of_others_is_replaced(words, name, here, tree, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    Path("link.png").symlink_to("a/one.png")
    os.link("a/two.jpg", "hard.png")
    Path("other.csv").write_text("id,path,predicted," + ",".join(CODES) + "\n")
    os.mkfifo("pipe")
    Path("mine").mkdir()
    Image.new("RGB", (448, 448)).save("mine/one.png")  # the name that predict would use
    before = tree(here)
    assert main(["predict", "a", *words]) == 1
    message = capsys.readouterr().err
    assert words[1] in message
    assert name in message
    assert "Choose another output" in message
    assert tree(here) == before


def test_a_second_run_replaces_its_own_files_and_does_not_classify_its_own_pictures(here, tree, capsys):
    words = ["--csv", "a/cam/out.csv", "--gradcam", "a/cam"]
    assert main(["predict", "a/one.png", *words]) == 0
    first = tree(Path("a/cam"))
    Path("a/cam/.DS_Store").touch()
    assert main(["predict", "a", *words]) == 0
    second = tree(Path("a/cam"))
    assert sorted(first) == ["one.png", "out.csv"]
    assert sorted(second) == [".DS_Store", "one.png", "out.csv", "two.png"]
    assert second["out.csv"] != first["out.csv"]
    assert main(["predict", "b", "a/cam/one.png", *words]) == 1
    assert "a/cam/one.png" in capsys.readouterr().err
    assert tree(Path("a/cam")) == second


def test_a_grad_cam_picture_explains_the_predicted_class_of_its_own_image(here, saved):
    assert main(["predict", "a", "b", "--gradcam", "cam", "--csv", "out.csv"]) == 0
    model = bundle.load(saved).model
    for row, name in zip(tables.read(Path("out.csv")).itertuples(), ("one", "two", "b-one"), strict=True):
        image, drawn = images.read(Path(row.path)), images.read(Path("cam") / f"{name}.png").astype(int)
        square, large = images.fit(image, 64, "crop")[None], images.fit(image, 448, "crop")
        differences = {
            code: abs(overlay(large, Explainer(model).heatmaps(square, np.array([label]))[0]) - drawn).max()
            for label, code in enumerate(CODES)
        }
        assert differences[row.predicted] <= 2
        assert max(differences.values()) > 20, "classes look at different places, else this test says nothing"


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_file_name_that_is_not_text_is_printed_and_written(here, capsys):
    Path(os.fsdecode(b"a/\xff.png")).write_bytes(Path("a/one.png").read_bytes())
    Path(os.fsdecode(b"a/\xfe.jpg")).touch()
    assert main(["predict", "a", "--csv", "out.csv"]) == 1
    printed, errors = capsys.readouterr()
    assert "a/\\xff.png" in printed
    assert "a/\\xfe.jpg" in errors
    assert "a/\\xff.png" in set(pd.read_csv("out.csv")["path"])
