"""What is exported says what the model and its calibration say, without this library."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from skinlesion import export
from skinlesion.__main__ import main
from skinlesion.calibration import Calibration
from skinlesion.classes import CODES
from skinlesion.commands.export import NAMES
from skinlesion.errors import UserError
from skinlesion.inference import natural
from skinlesion.model import bundle
from skinlesion.model.build import build

TRAINED = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0])  # no training image of vasc: it keeps what the model says
NATURAL = np.array([0.02, 0.05, 0.1, 0.0, 0.1, 0.72, 0.01])  # df does not occur: it gets 0
CALIBRATION = Calibration(1.7, TRAINED, NATURAL)
BACKBONES = ["resnet18", "dinov2_small"]  # the second with GELU, which tf2onnx cannot do by itself
TINY = {"dinov2_small": {"num_layers": 2, "hidden_dim": 48, "num_heads": 3, "intermediate_dim": 96}}
CLOSE = 1e-4


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
def test_it_gives_what_people_are_shown(name, kind, bundles, tmp_path):
    one, path = bundles[name], tmp_path / "new" / NAMES[kind]
    export.FORMATS[kind](one, path)
    pixels = images(one.model.input_shape[1])
    expected = natural(one, pixels)
    assert expected.std(axis=0).max() > 0.01, "images must differ, or any constant passes"
    assert abs(np.asarray(one.model(pixels)) - expected).max() > 0.05, "so must calibration"
    for number in (1, len(pixels)):
        np.testing.assert_allclose(RUN[kind](path, pixels[:number]), expected[:number], atol=CLOSE, rtol=0)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_grouped_convolutions_as_of_convnext_go_to_onnx(tmp_path):
    """Keras compiles them in a function of their own, and ONNX has no calls of those."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, groups=3)(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(7, "softmax")(keras.layers.GlobalMaxPooling2D()(x)))
    one = bundle.Bundle(model, CALIBRATION, "crop")
    export.to_onnx(one, tmp_path / "model.onnx")
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
    whole = export.calibrated(bundle.Bundle(model, Calibration(0.5, trained, usual), "crop"))
    squared = np.array([4, 1, 1, 0, 0, 0, 0]) * np.array([0.5, 2, 0.5, 1, 0, 0, 0])
    found = np.asarray(whole(np.zeros((1, 1, 1, 3))))[0]
    np.testing.assert_allclose(found, squared / squared.sum(), atol=1e-6)


def test_what_a_program_needs_to_know_travels_along(bundles, tmp_path):
    import onnx

    one = bundles["resnet18"]
    export.to_savedmodel(one, tmp_path / "saved")
    export.to_onnx(one, tmp_path / "model.onnx")
    read = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(read)
    for text in (
        (tmp_path / "saved" / "assets.extra" / "skinlesion.json").read_text(),
        {entry.key: entry.value for entry in read.metadata_props}["skinlesion"],
    ):
        content = json.loads(text)
        assert content["classes"] == list(CODES)
        assert (content["side"], content["fit"]) == (32, "crop")
        assert "INTER_AREA" in content["resize"]
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


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "name", ["models", "models/model.keras", "link.keras", "notes.txt", "saved", "made/by/hand.onnx/x"]
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
    assert "Name another place" in said
    assert tree(tmp_path) == before


def test_operations_that_onnx_lacks_are_named(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "known", lambda operation: operation != "Conv")
    with pytest.raises(UserError, match=r"Missing: Conv\. Use --format savedmodel"):
        export.to_onnx(bundles["resnet18"], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_another_backend_is_refused_with_the_way_out(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="KERAS_BACKEND=jax"):
        export.to_savedmodel(bundles["resnet18"], tmp_path / "saved")
