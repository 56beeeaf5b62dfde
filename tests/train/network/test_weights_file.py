"""model.weights: files that fit load exactly, others are refused with what was expected and found; presets offline."""

import keras_hub
import numpy as np
import pytest

from skinlesion.model.backend import keras
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.train.network import backbones

pytestmark = pytest.mark.training

ROWS = params.load().backbones
TINY = {
    "num_layers": 1,
    "hidden_dim": 12,
    "num_heads": 2,
    "intermediate_dim": 8,
    "position_embedding_shape": [70, 70, 3],
}
DINO = ROWS["dinov2_small"].model_copy(update={"arguments": {"patch_size": 14, **TINY}})


def assert_same(one: keras.Model, other: keras.Model) -> None:
    for x, y in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=x.path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """name -> (weights file of the sub-model backbone, the sub-model)."""
    folder = tmp_path_factory.mktemp("weights")
    found = {}
    for name, row in (("resnet18", ROWS["resnet18"]), ("mobilenet_v3", ROWS["mobilenet_v3"]), ("dino", DINO)):
        backbone = backbones.make(row, 28 if name == "dino" else 32, None)
        backbone.save_weights(folder / f"{name}.weights.h5")
        found[name] = folder / f"{name}.weights.h5", backbone
    return found


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3"])
def test_the_sub_models_own_file_loads_exactly(files, name):
    path, backbone = files[name]
    assert_same(backbones.make(ROWS[name], 32, str(path)), backbone)


def test_dinov2s_own_file_loads_exactly(files):
    path, backbone = files["dino"]
    assert_same(backbones.make(DINO, 28, str(path)), backbone)


def test_the_librarys_file_loads_exactly(tmp_path):
    network = keras.applications.MobileNetV3Large(include_top=False, weights=None, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "library.weights.h5")
    assert_same(backbones.make(ROWS["mobilenet_v3"], 32, str(tmp_path / "library.weights.h5")), network)


def test_the_older_h5_file_loads_exactly(tmp_path):
    network = keras.applications.MobileNetV3Large(include_top=False, weights=None, input_shape=(32, 32, 3))
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(tmp_path / "older.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    assert_same(backbones.make(ROWS["mobilenet_v3"], 32, str(tmp_path / "older.h5")), network)


def test_another_backbones_file_is_refused_with_expected_and_found(files):
    message = r"is no weights file of ResNetBackbone .* Expected 11,186,112 parameters in 100 arrays; found 2,996,352"
    with pytest.raises(UserError, match=message):
        backbones.make(ROWS["resnet18"], 32, str(files["mobilenet_v3"][0]))


def test_a_file_with_the_classifier_is_refused(tmp_path):
    whole = keras.applications.MobileNetV3Large(weights=None, input_shape=(32, 32, 3), classes=7)
    whole.save_weights(tmp_path / "whole.weights.h5")
    with pytest.raises(UserError, match="without its classifier"):
        backbones.make(ROWS["mobilenet_v3"], 32, str(tmp_path / "whole.weights.h5"))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_cut_short_is_refused(files, tmp_path, share):
    content = files["mobilenet_v3"][0].read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"cut\.weights\.h5 cannot be read: .*Expected a whole Keras weights file"):
        backbones.make(ROWS["mobilenet_v3"], 32, str(tmp_path / "cut.weights.h5"))


def test_a_file_of_no_finite_numbers_is_refused(files, tmp_path):
    backbone = backbones.make(ROWS["mobilenet_v3"], 32, str(files["mobilenet_v3"][0]))
    backbone.weights[7].assign(backbone.weights[7] * np.nan)
    backbone.save_weights(tmp_path / "nan.weights.h5")
    with pytest.raises(UserError, match="damaged: 1 arrays hold no finite numbers"):
        backbones.make(ROWS["mobilenet_v3"], 32, str(tmp_path / "nan.weights.h5"))


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"nowhere\.weights\.h5, which is missing"):
        backbones.make(ROWS["mobilenet_v3"], 32, "nowhere.weights.h5")


@pytest.mark.parametrize(("row", "size"), [(ROWS["resnet18"], 32), (DINO, 28)], ids=["resnet18", "dino"])
def test_a_preset_saved_locally_gives_its_weights_at_another_size(row, size, tmp_path):
    constructor = getattr(keras_hub.models, row.constructor.rsplit(".", 1)[1])
    published = constructor(**row.arguments, image_shape=(70, 70, 3))
    published.save_to_preset(str(tmp_path / "preset"))
    backbone = backbones.make(row.model_copy(update={"imagenet": str(tmp_path / "preset")}), size, "imagenet")
    assert backbone.input_shape == (None, size, size, 3)
    for x, y in zip(published.weights, backbone.weights, strict=True):
        if y.name != "interpolated_position_embeddings":
            np.testing.assert_array_equal(x, y, err_msg=x.path)
        else:
            assert y.shape == (1, 5, 12)
            assert float(keras.ops.std(y)) > 0


def test_a_preset_follows_the_precision_of_the_process(tmp_path):
    keras_hub.models.DINOV2Backbone(**DINO.arguments, image_shape=(28, 28, 3)).save_to_preset(str(tmp_path / "preset"))
    row = DINO.model_copy(update={"imagenet": str(tmp_path / "preset")})
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = backbones.make(row, 28, "imagenet")
        assert backbone.get_layer("backbone_encoder").compute_dtype == "bfloat16"
        assert backbone.weights[0].dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_preset_of_another_architecture_is_refused(tmp_path):
    other = {**DINO.arguments, "hidden_dim": 24}
    keras_hub.models.DINOV2Backbone(**other, image_shape=(28, 28, 3)).save_to_preset(str(tmp_path / "preset"))
    with pytest.raises(UserError, match="could not be loaded into DINOV2Backbone"):
        backbones.make(DINO.model_copy(update={"imagenet": str(tmp_path / "preset")}), 28, "imagenet")
