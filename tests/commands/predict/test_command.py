"""skinlesion predict: what is printed, what is written, and the exit code."""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.__main__ import main
from skinlesion.commands.predict import command
from skinlesion.core import images, tables
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.explain.gradcam import heatmaps
from skinlesion.explain.overlay import overlay
from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.runtime.params.rows import HeadLayer
from skinlesion.train.network import heads, preprocessing

SIDE = 16


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with the parts that every model here has, weights random."""
    keras.utils.set_random_seed(5)
    pixels = keras.Input((SIDE, SIDE, 3))
    backbone = keras.Model(pixels, keras.layers.Conv2D(6, 3, strides=2, activation="relu")(pixels), name="backbone")
    head = heads.make([HeadLayer(average_pool="global")], backbone.output.shape[1:])
    image = keras.Input((SIDE, SIDE, 3), dtype="float32")
    model = keras.Model(image, head(backbone(preprocessing.make("tf", SIDE)(image))))
    path = tmp_path_factory.mktemp("model") / "model.keras"
    bundle.save(model, Calibration(0.3, np.full(7, 1 / 7), np.arange(1, 8) / 28), "crop", path)
    return path


@pytest.fixture
def here(tmp_path: Path, saved: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a trained model and two folders of pictures, two of them of one name, as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("models/model.keras").symlink_to(saved)
    for number, name in enumerate(("a/one.png", "a/two.jpg", "b/one.png")):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(noise(number, 30, 40)).save(name)
    return tmp_path


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_people_read_names_of_diagnoses_and_that_it_is_no_diagnosis(here, capsys):
    assert main(["predict", "a/one.png", "--top", "7"]) == 0
    printed, said = capsys.readouterr()
    for one in DIAGNOSES:
        (line,) = [line for line in printed.splitlines() if f" {one.name} ({one.code})" in line]
        assert ("malignant" in line) == one.malignant
    percents = [float(line.split()[-1].rstrip("%")) for line in printed.splitlines() if line.endswith("%")]
    assert len(percents) == 7
    assert percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=0.4)
    assert printed.count("a/one.png") == 1
    assert printed.count("Research only, not a diagnosis") == 1
    assert said == ""


def test_the_table_holds_the_best_n_of_each_image(here, capsys):
    assert main(["predict", "a", "b", "--top", "2"]) == 0
    printed = capsys.readouterr().out
    assert sum(line.endswith("%") for line in printed.splitlines()) == 6
    assert "\n3 images: " in printed


def test_machines_read_path_predicted_and_seven_probabilities(here, capsys):
    assert main(["predict", "b", "a", "--csv", "new/out.csv"]) == 0
    table = tables.read(here / "new" / "out.csv")
    assert list(table) == ["path", "predicted", *CODES]
    assert [Path(path).as_posix() for path in table["path"]] == ["b/one.png", "a/one.png", "a/two.jpg"]
    values = table[list(CODES)].to_numpy()
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=4e-6)
    assert list(table["predicted"]) == [CODES[label] for label in values.argmax(axis=1)]
    assert "new/out.csv" in capsys.readouterr().out


def test_a_long_table_is_cut_on_the_screen_where_a_csv_holds_it(here, capsys, monkeypatch):
    monkeypatch.setattr(command, "SHOWN", 1)
    assert main(["predict", "a", "b", "--csv", "out.csv"]) == 0
    assert "... and 2 images more" in capsys.readouterr().out
    assert len(pd.read_csv("out.csv")) == 3
    assert main(["predict", "a", "b"]) == 0
    assert "images more" not in capsys.readouterr().out


def test_a_bad_image_is_named_and_skipped_and_the_exit_code_is_1(here, capsys):
    Path("a/three.jpg").write_text("not a picture")
    Path("a/two.jpg").write_bytes(Path("a/two.jpg").read_bytes()[:300])
    assert main(["predict", "a", "--csv", "out.csv", "--gradcam", "cam"]) == 1
    printed, said = capsys.readouterr()
    assert [line.split(" (")[0] for line in said.splitlines()] == ["skipped: a/three.jpg", "skipped: a/two.jpg"]
    assert "a/one.png" in printed
    assert list(pd.read_csv("out.csv")["path"]) == ["a/one.png"]
    assert written(Path("cam")) == {"one.png"}


def test_nothing_is_written_where_no_image_can_be_read(here, capsys):
    Path("bad.jpg").touch()
    before = written(here)
    assert main(["predict", "bad.jpg", "--csv", "out.csv", "--gradcam", "cam"]) == 1
    assert "skipped: bad.jpg (not a picture)" in capsys.readouterr().err
    assert written(here) == before


def test_a_missing_path_is_named_before_any_work(here, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    assert main(["predict", "a", "gone.jpg", "--csv", "out.csv"]) == 1
    assert "Missing: gone.jpg" in capsys.readouterr().err
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("words", [[], ["--model", "other.keras"]])
def test_a_missing_model_says_what_to_run(words, here, capsys):
    Path("models/model.keras").unlink()
    assert main(["predict", "a", *words]) == 1
    said = capsys.readouterr().err
    assert "is missing: train a model first (dvc repro train)" in said
    assert (words or ["models/model.keras"])[-1].split("/")[-1] in said


@pytest.mark.parametrize(
    "words",
    [
        ["--csv", "a"],
        ["--csv", "a/one.png/x.csv"],
        ["--gradcam", "b/one.png"],
        ["--gradcam", "b/one.png/x"],
        ["--csv", "x", "--gradcam", "x/y"],
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(words, here, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    before = written(here)
    assert main(["predict", "a", *words]) == 1
    assert f"{words[1]}" in capsys.readouterr().err
    assert written(here) == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--csv", "a/one.png"], "a/one.png"),
        (["--csv", "b/../a/one.png"], "a/one.png"),
        (["--csv", "link.png"], "a/one.png"),
        (["--csv", "hard.png"], "a/two.jpg"),
        (["--csv", "models/model.keras"], "models/model.keras"),
        (["--csv", "notes.txt"], "Name another place"),
        (["--csv", "other.csv"], "Name another place"),
        (["--csv", "pipe"], "Name another place"),
        (["--gradcam", "."], "Name another folder"),
        (["--gradcam", "models"], "model.keras"),
        (["--gradcam", "mine"], "one.png"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_no_input_and_no_file_of_others_is_replaced(words, named, here, tree, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    Path("link.png").symlink_to("a/one.png")
    os.link("a/two.jpg", "hard.png")
    Path("notes.txt").write_text("skinlesion predict wrote path,predicted")
    Path("other.csv").write_text("id,path,predicted," + ",".join(CODES) + "\n")
    os.mkfifo("pipe")
    Path("mine").mkdir()
    Image.new("RGB", (448, 448)).save("mine/one.png")  # of the name that predict would give
    before = tree(here)
    assert main(["predict", "a", *words]) == 1
    said = capsys.readouterr().err
    assert words[1] in said
    assert named in said
    assert tree(here) == before


def test_what_predict_wrote_itself_is_replaced(here, tree):
    words = ["--csv", "out/out.csv", "--gradcam", "out"]
    assert main(["predict", "b", *words]) == 0
    first = tree(Path("out"))
    (here / "out" / ".DS_Store").touch()
    assert main(["predict", "a/two.jpg", *words]) == 0
    second = tree(Path("out"))
    assert sorted(first) == ["one.png", "out.csv"]
    assert sorted(second) == [".DS_Store", "one.png", "out.csv", "two.png"]
    assert second["out.csv"] != first["out.csv"]


def test_a_csv_that_fails_half_way_leaves_the_earlier_one(here, capsys, monkeypatch):
    assert main(["predict", "b", "--csv", "out.csv"]) == 0
    earlier = Path("out.csv").read_text()

    def run_out_of_disk(_, path: Path, **__: object) -> None:
        Path(path).write_text("path,predi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", run_out_of_disk)
    assert main(["predict", "a", "--csv", "out.csv"]) == 1
    assert "No space left on device: 'out.csv'. The disk is full: free some space" in capsys.readouterr().err
    assert Path("out.csv").read_text() == earlier
    assert not list(here.glob(".partial*"))


def test_each_image_gets_its_own_heat_picture_also_where_two_share_a_name(here, capsys):
    assert main(["predict", "a", "b", "--gradcam", "new/cam"]) == 0
    assert written(Path("new/cam")) == {"one.png", "two.png", "b-one.png"}
    pictures = [np.asarray(Image.open(path)) for path in sorted(Path("new/cam").iterdir())]
    assert {picture.shape for picture in pictures} == {(448, 448, 3)}
    assert not np.array_equal(pictures[0], pictures[1])
    assert "Grad-CAM pictures of 3 images: new/cam" in capsys.readouterr().out


def test_a_heat_picture_explains_the_predicted_class_of_its_own_image(here, saved):
    assert main(["predict", "a", "b", "--gradcam", "cam", "--csv", "out.csv"]) == 0
    model = bundle.load(saved).model
    for row, name in zip(tables.read(Path("out.csv")).itertuples(), ("one", "two", "b-one"), strict=True):
        image, drawn = images.read(Path(row.path)), images.read(Path("cam") / f"{name}.png").astype(int)
        square, large = images.fit(image, SIDE, "crop")[None], images.fit(image, 448, "crop")
        away = {
            code: abs(overlay(large, heatmaps(model, square, np.array([label]))[0]) - drawn).max()
            for label, code in enumerate(CODES)
        }
        assert away[row.predicted] <= 2
        assert max(away.values()) > 20, "classes look at different places, else this test says nothing"


def test_a_second_run_does_not_take_the_heat_pictures_for_images(here, capsys):
    for _ in range(2):
        assert main(["predict", "a", "--gradcam", "a/cam"]) == 0
    assert "2 images" in capsys.readouterr().out.splitlines()[-2]
    assert written(Path("a")) == {"one.png", "two.jpg", "cam/one.png", "cam/two.png"}


def test_heat_pictures_never_replace_images(here, capsys):
    before = Path("a/one.png").read_bytes()
    assert main(["predict", "a/one.png", "--gradcam", "a"]) == 1
    assert "Name another folder" in capsys.readouterr().err
    assert Path("a/one.png").read_bytes() == before


def test_the_model_is_loaded_once(here, monkeypatch):
    loaded, load = [], bundle.load
    monkeypatch.setattr(bundle, "load", lambda path: loaded.append(path) or load(path))
    assert main(["predict", "a", "b", "--model", "models/model.keras"]) == 0
    assert loaded == [Path("models/model.keras")]


@pytest.mark.parametrize(("given", "bar"), [("a", True), ("a/one.png", False)])
def test_a_folder_shows_progress_at_a_terminal(given, bar, here, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["predict", given]) == 0
    printed = capsys.readouterr().err
    assert ("predicting" in printed and "2/2" in printed) if bar else printed == ""


@pytest.mark.parametrize("top", ["0", "8", "all"])
def test_top_is_a_number_of_diagnoses(top, here, capsys):
    with pytest.raises(SystemExit):
        main(["predict", "a", "--top", top])
    assert "--top" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_printed_and_written(here, capsys):
    odd = Path(os.fsdecode(b"a/\xff.png"))
    odd.write_bytes(Path("a/one.png").read_bytes())
    Path(os.fsdecode(b"a/\xfe.jpg")).touch()
    assert main(["predict", "a", "--csv", "out.csv"]) == 1
    printed, said = capsys.readouterr()
    assert "a/\\xff.png" in printed
    assert "skipped: a/\\xfe.jpg" in said
    assert "a/\\xff.png" in set(pd.read_csv("out.csv")["path"])
