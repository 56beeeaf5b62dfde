"""Weights come from where model.weights says, exactly, or not at all."""

import io
import shutil
import urllib.error
from pathlib import Path

import h5py
import keras_hub
import numpy as np
import pytest
import requests

from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.train.network import backbones
from tests.helpers.chain import load_sample
from tests.helpers.one_block import one_block

pytestmark = pytest.mark.training

ROWS = load_sample().backbones
TINY = {
    "num_layers": 1,
    "hidden_dim": 12,
    "num_heads": 2,
    "intermediate_dim": 8,
    "position_embedding_shape": [70, 70, 3],
}
DINO = ROWS["dinov2_small"].model_copy(update={"arguments": {"patch_size": 14, **TINY}})
SMALL = {"resnet18": one_block(ROWS["resnet18"]), "mobilenet_v3": ROWS["mobilenet_v3"], "dino": DINO}


def make(name: str, weights: str | Path | None) -> keras.Model:
    return backbones.build_backbone(SMALL[name], 28 if name == "dino" else 32, weights and str(weights))


def assert_same(model: keras.Model, other: keras.Model) -> None:
    for ours, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, tuple[Path, keras.Model]]:
    """name -> (weights file of the sub-model backbone, the sub-model)."""
    folder = tmp_path_factory.mktemp("weights")
    made = {name: (folder / f"{name}.weights.h5", make(name, None)) for name in SMALL}
    for path, backbone in made.values():
        backbone.save_weights(path)
    return made


@pytest.mark.parametrize("name", SMALL)
def test_the_sub_models_own_file_loads_exactly_and_random_weights_differ(name, files):
    path, backbone = files[name]
    assert_same(make(name, path), backbone)
    assert any(not np.array_equal(*pair) for pair in zip(make(name, None).weights, backbone.weights, strict=True))


def test_a_path_may_begin_with_the_home_folder(files, monkeypatch):
    path, backbone = files["resnet18"]
    monkeypatch.setenv("HOME", str(path.parent))
    assert_same(make("resnet18", f"~/{path.name}"), backbone)


@pytest.mark.parametrize("name", ["library.weights.h5", "older.h5"])
def test_the_librarys_file_loads_exactly_in_both_formats(name, tmp_path):
    network = keras.applications.MobileNetV3Large(include_top=False, weights=None, input_shape=(32, 32, 3))
    if name == "older.h5":
        write_older(network, tmp_path / name)
    else:
        network.save_weights(tmp_path / name)
    assert_same(make("mobilenet_v3", tmp_path / name), network)


def write_older(network: keras.Model, path: Path) -> None:
    """Write weights in the format of Keras 2, in which Keras publishes them."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        for layer in network.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{number}" for number, _ in enumerate(layer.weights)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = keras.ops.convert_to_numpy(weight)


def write_nan(files: dict, path: Path) -> None:
    backbone = make("resnet18", files["resnet18"][0])
    backbone.weights[7].assign(backbone.weights[7] * np.nan)
    backbone.save_weights(path)


def write_classifier(files: dict, path: Path) -> None:
    keras.applications.MobileNetV3Large(weights=None, input_shape=(32, 32, 3), classes=7).save_weights(path)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("resnet18", lambda files, path: None, ["missing", "Set imagenet"]),
        ("resnet18", lambda files, path: shutil.copy(files["mobilenet_v3"][0], path), ["2,996,352", "ResNetBackbone"]),
        ("mobilenet_v3", write_classifier, ["MobileNetV3Large without its classifier"]),
        ("resnet18", write_nan, ["NaN", "Save it again"]),
    ],
    ids=["missing", "another backbone's", "with classifier", "NaN"],
)
def test_a_file_that_does_not_match_is_refused(name, write, words, files, tmp_path):
    write(files, tmp_path / "x.weights.h5")
    with pytest.raises(UserError) as caught:
        make(name, tmp_path / "x.weights.h5")
    assert all(word in str(caught.value) for word in ["model.weights", "x.weights.h5", *words])


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_truncated_file_is_refused(share, files, tmp_path):
    content = files["mobilenet_v3"][0].read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"cut\.weights\.h5 cannot be read.*Give a whole"):
        make("mobilenet_v3", tmp_path / "cut.weights.h5")


def refuse(error: Exception):
    def raising(*_, **__):
        raise error

    return raising


REMEDIES = r"model\.weights to the file.*model\.weights: null"
BROKEN = {
    "no network": refuse(urllib.error.URLError("Name or service not known")),
    "not found": refuse(urllib.error.HTTPError("https://x", 404, "Not Found", None, None)),
    "dropped": refuse(ConnectionResetError(104, "Connection reset by peer")),
    "slow": refuse(TimeoutError("The read operation timed out")),
    "another file": lambda *_, **__: urllib.response.addinfourl(io.BytesIO(b"<html>log in</html>"), {}, "https://x"),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_imagenet_weights_that_cannot_be_downloaded_name_both_remedies(failure, monkeypatch, tmp_path):
    monkeypatch.setattr("urllib.request.urlopen", BROKEN[failure])
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))  # hides earlier downloads
    with pytest.raises(UserError, match=f"could not be downloaded.*{REMEDIES}"):
        make("mobilenet_v3", "imagenet")


def test_another_error_of_a_constructor_is_not_reported_as_a_failed_download(monkeypatch):
    monkeypatch.setattr("keras.applications.MobileNetV3Large", refuse(AttributeError("a mistake in the code")))
    with pytest.raises(AttributeError, match="mistake"):
        make("mobilenet_v3", "imagenet")


def test_a_preset_that_cannot_be_downloaded_names_both_remedies(monkeypatch):
    monkeypatch.setattr("kagglehub.model_download", refuse(requests.ConnectionError("Max retries exceeded")))
    with pytest.raises(UserError, match=f"resnet_18_imagenet could not .*{REMEDIES}"):
        make("resnet18", "imagenet")


def test_the_row_names_the_imagenet_weights_and_random_ones_need_no_network(monkeypatch):
    given, constructor = [], keras.applications.MobileNetV3Large

    def record(weights, **settings) -> keras.Model:
        given.append((weights, settings["include_top"]))
        return constructor(weights=None, **settings)

    monkeypatch.setattr("keras.applications.MobileNetV3Large", record)
    monkeypatch.setattr("urllib.request.urlopen", refuse(AssertionError("the network was used")))
    for weights in ("imagenet", None):
        make("mobilenet_v3", weights)
    assert given == [("imagenet", False), (None, False)]


@pytest.mark.parametrize("name", ["resnet18", "dino"])
def test_a_preset_gives_its_weights_at_another_size_in_the_precision_of_the_process(name, tmp_path):
    row = SMALL[name]
    constructor = getattr(keras_hub.models, row.constructor.rsplit(".", 1)[1])
    published = constructor(**row.arguments, image_shape=(70, 70, 3))
    published.save_to_preset(str(tmp_path / "preset"))
    keras.config.set_dtype_policy("mixed_bfloat16")
    size = 28 if name == "dino" else 32
    backbone = backbones.build_backbone(row.model_copy(update={"imagenet": str(tmp_path / "preset")}), size, "imagenet")
    assert backbone.input_shape == (None, size, size, 3)
    assert "bfloat16" in {layer.compute_dtype for layer in backbone.layers}
    for theirs, ours in zip(published.weights, backbone.weights, strict=True):
        assert ours.dtype == "float32"
        if ours.name != "interpolated_position_embeddings":
            np.testing.assert_array_equal(theirs, ours, err_msg=theirs.path)
        else:
            assert ours.shape == (1, 5, 12)
            assert float(keras.ops.std(ours)) > 0


def test_a_preset_of_another_architecture_is_refused(tmp_path):
    other = {**DINO.arguments, "hidden_dim": 24}
    keras_hub.models.DINOV2Backbone(**other, image_shape=(28, 28, 3)).save_to_preset(str(tmp_path / "preset"))
    with pytest.raises(UserError, match=f"could not be loaded into DINOV2Backbone.*{REMEDIES}"):
        backbones.build_backbone(DINO.model_copy(update={"imagenet": str(tmp_path / "preset")}), 28, "imagenet")
