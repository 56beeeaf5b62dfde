"""Weights come from where model.weights says, exactly, or not at all."""

import http.client
import urllib.error
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import requests

from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.train.network import backbones
from tests.helpers.chain import ROOT

pytestmark = pytest.mark.training

ROWS = params.load(ROOT / "params.yaml").backbones


@pytest.fixture(scope="session")
def weights_file(classifier, tmp_path_factory):
    """`weights_file("resnet18")`: the weights of that classifier's backbone."""
    folder = tmp_path_factory.mktemp("weights")

    def saved(name: str) -> Path:
        path = folder / f"{name}.weights.h5"
        if not path.exists():
            classifier(name).get_layer("backbone").save_weights(path)
        return path

    return saved


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_without_weights_they_are_random(classifier):
    other = backbones.make(ROWS["resnet18"], 32, None)
    assert not equal(classifier("resnet18").get_layer("backbone").get_weights(), other.get_weights())


def refuse(error: Exception):
    def raising(*_, **__):
        raise error

    return raising


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    """Weights that this machine downloaded earlier are out of sight."""
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))


BROKEN = {
    "no network": urllib.error.URLError("Name or service not known"),
    "not found": urllib.error.HTTPError("https://x", 404, "Not Found", None, None),
    "dropped": ConnectionResetError(104, "Connection reset by peer"),
    "cut off": http.client.IncompleteRead(b"", 1000),
    "slow": TimeoutError("The read operation timed out"),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_imagenet_weights_without_network_name_two_ways_out(failure, monkeypatch, no_cache):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse(BROKEN[failure]))
    with pytest.raises(UserError, match=r"could not be downloaded.*model\.weights, or .*model\.weights: null"):
        backbones.make(ROWS["resnet50"], 32, "imagenet")


def test_a_cut_off_download_names_two_ways_out(monkeypatch, no_cache):
    """What a proxy or a full disk leaves: a file that is not the published one."""
    monkeypatch.setattr(
        "keras.src.utils.file_utils.urlretrieve", lambda _, path, __: Path(path).write_bytes(b"<html>log in</html>")
    )
    with pytest.raises(UserError, match=r"could not be downloaded.*model\.weights: null"):
        backbones.make(ROWS["resnet50"], 32, "imagenet")


def test_another_error_of_a_constructor_is_not_taken_for_the_network(monkeypatch):
    monkeypatch.setattr("keras.applications.ResNet50", refuse(AttributeError("a mistake in the code")))
    with pytest.raises(AttributeError, match="mistake"):
        backbones.make(ROWS["resnet50"], 32, "imagenet")


def test_imagenet_weights_of_keras_hub_without_network_name_two_ways_out(monkeypatch):
    monkeypatch.setattr("kagglehub.model_download", refuse(requests.ConnectionError("Max retries exceeded")))
    with pytest.raises(UserError, match=r"resnet_18_imagenet could not .*model\.weights, or .*model\.weights: null"):
        backbones.make(ROWS["resnet18"], 32, "imagenet")


def test_imagenet_weights_of_keras_hub_are_the_presets(classifier, monkeypatch):
    published = classifier("resnet18").get_layer("backbone")
    asked = []
    monkeypatch.setattr(
        keras_hub.models.ResNetBackbone, "from_preset", lambda preset, **_: asked.append(preset) or published
    )
    made = backbones.make(ROWS["resnet18"], 32, "imagenet")
    assert asked == ["resnet_18_imagenet"]
    assert equal(made.get_weights(), published.get_weights())


def test_imagenet_weights_of_keras_are_the_downloaded_file(classifier, weights_file, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(weights_file("resnet50")))
    made = backbones.make(ROWS["resnet50"], 32, "imagenet")
    assert equal(made.get_weights(), classifier("resnet50").get_layer("backbone").get_weights())


def test_random_weights_ask_no_network(monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse(AssertionError("the network was asked")))
    monkeypatch.setattr("kagglehub.model_download", refuse(AssertionError("the network was asked")))
    for name in ("resnet18", "resnet50"):
        assert isinstance(backbones.make(ROWS[name], 32, None), keras.Model)
