"""What is exported says what the model and its calibration say, without this library."""

import ast
import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from skinlesion.__main__ import main
from skinlesion.commands.demo import uploads
from skinlesion.commands.demo.answers import Classifier
from skinlesion.commands.export import formats
from skinlesion.commands.export.command import NAMES
from skinlesion.core import images as pictures
from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.download import archive
from skinlesion.model import bundle, model_file
from skinlesion.model.calibration import Calibration
from skinlesion.model.classify import natural
from skinlesion.runtime.errors import UserError
from skinlesion.train.network.build import build
from tests.core.test_images import photograph
from tests.helpers import one_block

pytestmark = pytest.mark.training

TRAINED = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0])  # no training image of vasc: it keeps what the model says
NATURAL = np.array([0.02, 0.05, 0.1, 0.0, 0.1, 0.72, 0.01])  # df does not occur: it gets 0
CALIBRATION = Calibration(1.7, TRAINED, NATURAL)
BACKBONES = ["resnet18", "dinov2_small"]  # the second with GELU, which tf2onnx cannot do by itself
TINY = {
    "resnet18": one_block.ARGUMENTS,
    "dinov2_small": {"num_layers": 2, "hidden_dim": 48, "num_heads": 3, "intermediate_dim": 96},
}
CLOSE = 1e-4
REAL = "HAM10000_600x450"  # an environment variable: the path of an archive with images of the original size


@pytest.fixture(scope="module")
def bundles(settings) -> dict[str, bundle.Bundle]:
    """Models whose answers differ from image to image and from class to class: random weights alone give seven 1/7."""
    made = {}
    for name in BACKBONES:
        row = settings.backbones[name]
        row = row.model_copy(update={"arguments": {**row.arguments, **TINY.get(name, {})}})
        keras.utils.set_random_seed(3)
        model = build(row, settings.heads["gap"], row.smallest, weights=None)
        random = np.random.default_rng(0)
        for weight in model.weights:
            if len(weight.shape) == 1:
                weight.assign_add(random.uniform(0, 0.1, weight.shape))
        body = keras.Sequential([model.get_layer("preprocessing"), model.get_layer("backbone")])
        features = np.asarray(body(images(row.smallest))).mean(axis=(1, 2))
        kernel = random.normal(0, 1 / (features.std(axis=0).mean() * features.shape[1] ** 0.5), (features.shape[1], 7))
        model.get_layer("head").set_weights([kernel, -features.mean(axis=0) @ kernel])
        made[name] = bundle.Bundle(model, CALIBRATION, "crop")
    return made


@pytest.fixture(scope="module")
def exported(bundles, tmp_path_factory) -> dict[str, Path]:
    """For each model a folder with all that is exported of it."""
    folders = {name: tmp_path_factory.mktemp(name) / "new" for name in bundles}
    for name, folder in folders.items():
        for kind in NAMES:
            formats.write(bundles[name], kind, folder / NAMES[kind])
    return folders


def images(side: int, number: int = 5) -> np.ndarray:
    """Pictures of different brightness: RGB uint8 (number, side, side, 3)."""
    noise = np.random.default_rng(1).integers(0, 256, (number, side, side, 3))
    return (noise * np.linspace(0.1, 1, number)[:, None, None, None]).astype(np.uint8)


def by_tensorflow(path: Path, pixels: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    return served(image=tf.constant(pixels.astype("float32")))["probabilities"].numpy()


def by_onnxruntime(path: Path, pixels: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"image": pixels.astype("float32")})[0]


RUN = {"savedmodel": by_tensorflow, "onnx": by_onnxruntime}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", BACKBONES)
def test_it_gives_what_people_are_shown(name, kind, bundles, exported):
    one, path = bundles[name], exported[name] / NAMES[kind]
    pixels = images(one.model.input_shape[1])
    expected = natural(one, pixels)
    assert expected.std(axis=0).max() > 0.01, "images must differ, or any constant passes"
    assert abs(np.asarray(one.model(pixels)) - expected).max() > 0.05, "so must calibration"
    for number in (1, len(pixels)):
        np.testing.assert_allclose(RUN[kind](path, pixels[:number]), expected[:number], atol=CLOSE, rtol=0)
    assert {file.name for file in path.parent.iterdir()} == {*NAMES.values(), formats.SCRIPT.name}


def test_grouped_convolutions_as_of_convnext_go_to_onnx(tmp_path):
    """Keras compiles them in a function of their own, and ONNX has no calls of those."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, groups=3)(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(7, "softmax")(keras.layers.GlobalMaxPooling2D()(x)))
    one = bundle.Bundle(model, CALIBRATION, "crop")
    formats.to_onnx(one, tmp_path / "model.onnx")
    found = by_onnxruntime(tmp_path / "model.onnx", images(8))
    assert found.std(axis=0).max() > 0.01
    np.testing.assert_allclose(found, natural(one, images(8)), atol=CLOSE)


def test_the_calibration_as_layers_is_the_library_s_by_hand(bundles):
    """A model that says 1/2, 1/4, 1/4 and 0: temperature 1/2 squares them, then each counts natural / trained."""
    said = np.array([0.5, 0.25, 0.25, 0, 0, 0, 0], np.float32)
    image = keras.Input((1, 1, 3))
    constant = keras.layers.Dense(7, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(said))
    model = keras.Model(image, constant(keras.layers.Flatten()(image)))
    trained, usual = np.array([0.5, 0.3, 0.2, 0, 0, 0, 0]), np.array([0.25, 0.6, 0.1, 0.05, 0, 0, 0])
    whole = formats.calibrated(bundle.Bundle(model, Calibration(0.5, trained, usual), "crop"))
    squared = np.array([4, 1, 1, 0, 0, 0, 0]) * np.array([0.5, 2, 0.5, 1, 0, 0, 0])
    found = np.asarray(whole(np.zeros((1, 1, 1, 3))))[0]
    np.testing.assert_allclose(found, squared / squared.sum(), atol=1e-6)


def test_what_a_program_needs_to_know_travels_along(exported):
    import onnx

    read = onnx.load(exported["resnet18"] / "model.onnx")
    onnx.checker.check_model(read)
    for text in (
        (exported["resnet18"] / "savedmodel" / "assets.extra" / "skinlesion.json").read_text(),
        {entry.key: entry.value for entry in read.metadata_props}["skinlesion"],
    ):
        content = json.loads(text)
        assert content["classes"] == list(CODES)
        assert content["steps"] == formats.steps("crop", 32)
        assert "apply nothing" in content["output"]


@pytest.fixture
def small(tmp_path) -> bundle.Bundle:
    """A small model, saved as models/model.keras."""
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), dtype="float32")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    one = bundle.Bundle(keras.Model(image, keras.layers.Dense(7, "softmax")(x)), CALIBRATION, "crop")
    (tmp_path / "models").mkdir()
    bundle.save(one.model, one.calibration, one.fit, tmp_path / "models" / "model.keras")
    return one


@pytest.mark.parametrize("kind", NAMES)
def test_the_command_writes_beside_the_model_and_again(kind, small, tmp_path, capsys):
    for _ in range(2):
        assert main(["export", "--format", kind, "--model", str(tmp_path / "models" / "model.keras")]) == 0
    assert "float32 (N, 8, 8, 3), RGB 0-255" in capsys.readouterr().out
    written = RUN[kind](tmp_path / "models" / NAMES[kind], images(8))
    np.testing.assert_allclose(written, natural(small, images(8)), atol=CLOSE)
    assert (tmp_path / "models" / "classify_images.py").read_bytes() == formats.SCRIPT.read_bytes()


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "name",
    ["models", "models/model.keras", "link.keras", "notes.txt", "saved", "made/by/hand.onnx/x", "classify_images.py"],
)
def test_neither_the_model_nor_files_of_others_are_replaced(name, kind, small, tree, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    model = tmp_path / "models" / "model.keras"
    (tmp_path / "link.keras").symlink_to(model)
    (tmp_path / "notes.txt").write_text("skinlesion")
    for file in ("saved/saved_model.pb", "saved/notes.txt", "saved/assets.extra/skinlesion.json", "made/by/hand.onnx"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("mine")
    before = tree(tmp_path)
    assert main(["export", "--format", kind, "--model", str(model), "--out", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path / name) in said
    assert "Name another" in said
    assert tree(tmp_path) == before


def test_a_file_with_the_name_of_the_script_is_not_replaced(small, tree, tmp_path, capsys):
    (tmp_path / "models" / "classify_images.py").write_text("mine")
    before = tree(tmp_path)
    assert main(["export", "--format", "onnx", "--model", str(tmp_path / "models" / "model.keras")]) == 1
    assert "classify_images.py exists, and was not written by this command. Name another" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_operations_that_onnx_lacks_are_named(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "known", lambda operation: operation != "Conv")
    with pytest.raises(UserError, match=r"Missing: Conv\. Use --format savedmodel"):
        formats.to_onnx(bundles["resnet18"], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_another_backend_is_refused_with_the_way_out(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="KERAS_BACKEND=jax"):
        formats.to_savedmodel(bundles["resnet18"], tmp_path / "saved")


def turned(path: Path, orientation: int) -> Path:
    """Store a picture anew with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.save(path, exif=exif)
    return path


def converted(path: Path, mode: str) -> Path:
    with Image.open(path) as picture:
        picture.convert(mode).save(path)
    return path


PICTURES: dict[str, Callable[[Path], Path]] = {
    "large": lambda folder: photograph(folder / "large.jpg", 450, 600, subsampling="4:2:0"),
    "progressive": lambda folder: photograph(folder / "progressive.jpg", 97, 83, progressive=True),
    "twice the side": lambda folder: photograph(folder / "twice.jpg", 64, 64),
    "small": lambda folder: photograph(folder / "small.jpg", 20, 27),
    "flat": lambda folder: photograph(folder / "flat.jpg", 20, 300),
    "grey": lambda folder: converted(photograph(folder / "grey.jpg", 90, 120), "L"),
    "palette": lambda folder: converted(photograph(folder / "palette.png", 90, 120), "P"),
    "transparent": lambda folder: converted(photograph(folder / "transparent.png", 90, 120), "RGBA"),
    **{f"turned {n}": lambda folder, n=n: turned(photograph(folder / "x.jpg", 130, 171), n) for n in range(2, 9)},
    "turned PNG": lambda folder: turned(photograph(folder / "turned.png", 130, 171), 6),
}


@pytest.fixture(scope="module")
def script() -> dict:
    """The names in the script that lies beside what is exported."""
    return runpy.run_path(str(formats.SCRIPT))


@pytest.mark.parametrize("fit", model_file.FITS)
@pytest.mark.parametrize("kind", PICTURES)
def test_the_steps_alone_make_the_square_that_predict_sees(kind, fit, script, tmp_path):
    path = PICTURES[kind](tmp_path)
    made = script["prepare"](path, json.loads(json.dumps(formats.steps(fit, 32))))
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, pictures.square(path, 32, fit)[0])


def test_the_script_takes_each_step_from_the_recipe(script, tmp_path):
    path = PICTURES["large"](tmp_path)
    steps = formats.steps("crop", 32)
    assert script["prepare"](path, steps[:2]).shape == (450, 450, 3)
    assert np.abs(script["prepare"](path, [steps[0], steps[2]]) - script["prepare"](path, steps)).mean() > 1
    with pytest.raises(ValueError, match="blur"):
        script["prepare"](path, [*steps, {"step": "blur"}])


@pytest.mark.parametrize("kind", ["text", "cut", "CMYK", "TIFF", "missing"])
def test_the_script_refuses_by_name_what_it_cannot_read(kind, script, tmp_path):
    path = tmp_path / "x.jpg"
    content = photograph(path, 90, 120).read_bytes()
    with Image.open(path) as picture:
        picture.load()
    {
        "text": lambda: path.write_text("no picture"),
        "cut": lambda: path.write_bytes(content[:-20]),
        "CMYK": lambda: picture.convert("CMYK").save(path),
        "TIFF": lambda: picture.save(path, "TIFF"),
        "missing": path.unlink,
    }[kind]()
    with pytest.raises((ValueError, OSError), match=r"x\.jpg"):
        script["prepare"](path, formats.steps("crop", 32))


def test_the_script_refuses_a_cut_jpeg_that_opencv_4_reads_in_part(script, tmp_path, monkeypatch):
    path = photograph(tmp_path / "x.jpg", 90, 120)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((90, 120, 3), np.uint8))
    assert script["prepare"](path, formats.steps("crop", 32)).shape == (32, 32, 3)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"x\.jpg is cut short"):
        script["prepare"](path, formats.steps("crop", 32))


def test_the_script_needs_nothing_of_this_package():
    tree = ast.parse(formats.SCRIPT.read_text(encoding="utf-8"))
    lines = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {line.module if isinstance(line, ast.ImportFrom) else line.names[0].name for line in lines}
    assert names == {"json", "re", "sys", "pathlib", "cv2", "numpy", "onnxruntime", "tensorflow"}


@pytest.fixture(scope="module", params=["drawn", "real"])
def folder(request, tmp_path_factory) -> Path:
    """A folder of pictures: drawn ones, or those of the archive that the environment variable names."""
    made = tmp_path_factory.mktemp(request.param)
    if request.param == "drawn":
        for kind in ("large", "small", "grey", "turned PNG"):
            PICTURES[kind](made)
        return made
    named = Path(os.environ.get(REAL, ""))
    if not named.is_file():
        pytest.skip(f"{REAL} names no file")
    archive.unpack(named, made)
    return made


def test_predict_the_demo_and_both_exports_give_the_same(folder, bundles, exported, tmp_path, monkeypatch, capsys):
    """Exports by the script that lies beside them."""
    one, model, csv = bundles["resnet18"], tmp_path / "model.keras", tmp_path / "out.csv"
    bundle.save(one.model, one.calibration, one.fit, model)
    assert main(["predict", str(folder), "--model", str(model), "--csv", str(csv)]) == 0
    table = tables.read(csv)
    expected = table[list(CODES)].to_numpy()
    assert expected.std(axis=0).max() > 0.01, "images must differ, or any constant passes"

    classifier = Classifier(model)
    answers = [classifier.answer(uploads.read(Path(path))).probabilities for path in table["path"]]
    np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=0)
    for kind in NAMES:
        monkeypatch.setattr(sys, "argv", ["-", str(exported["resnet18"] / NAMES[kind]), *table["path"]])
        capsys.readouterr()
        runpy.run_path(str(exported["resnet18"] / "classify_images.py"), run_name="__main__")
        header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert header == ["path", *CODES]
        assert [row[0] for row in rows] == list(table["path"])
        np.testing.assert_allclose([[float(value) for value in row[1:]] for row in rows], expected, atol=1e-5, rtol=0)
