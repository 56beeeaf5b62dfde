"""ResNet18 against an independent one in PyTorch, given the same weights. Skipped where torch is missing."""

import numpy as np
import pytest

from skinlesion.model.backend import keras
from skinlesion.runtime import params
from skinlesion.train.network import backbones, preprocessing

torch = pytest.importorskip("torch")
nn = torch.nn
SIZE = 96


class Block(nn.Module):
    """The paper's basic block: two 3x3 convolutions around a shortcut (He et al. 2016, figure 5 left)."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.second, self.second_norm = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.shortcut = None
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        kept = x if self.shortcut is None else self.shortcut(x)
        x = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(x)) + kept)


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        channels = [64, 64, 128, 256, 512]
        self.blocks = nn.ModuleList(
            Block(
                channels[stack] if not number else channels[stack + 1],
                channels[stack + 1],
                2 if stack and not number else 1,
            )
            for stack in range(4)
            for number in range(2)
        )

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.stem_norm(self.stem(x))), 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        return x


@pytest.fixture(scope="module")
def backbone():
    """Random weights and random statistics, so that every array counts."""
    keras.utils.set_random_seed(4)
    model = backbones.make(params.load().backbones["resnet18"], SIZE, None)
    random = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    return model


def copy_convolution(source: keras.Layer, target: nn.Conv2d) -> None:
    (kernel,) = source.get_weights()
    target.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1))


def copy_norm(source: keras.Layer, target: nn.BatchNorm2d) -> None:
    gamma, beta, mean, variance = (torch.tensor(value) for value in source.get_weights())
    target.weight.data, target.bias.data, target.running_mean, target.running_var = gamma, beta, mean, variance
    target.eps = source.epsilon


def twin(model: keras.Model) -> ResNet18:
    """The PyTorch network with the weights of the Keras one, found by the names of its layers."""
    network = ResNet18().eval()
    copy_convolution(model.get_layer("conv1_conv"), network.stem)
    copy_norm(model.get_layer("conv1_bn"), network.stem_norm)
    for number, block in enumerate(network.blocks):
        name = f"stack{number // 2}_block{number % 2}"
        for part, convolution, norm in ((1, block.first, block.first_norm), (2, block.second, block.second_norm)):
            copy_convolution(model.get_layer(f"{name}_{part}_conv"), convolution)
            copy_norm(model.get_layer(f"{name}_{part}_bn"), norm)
        if block.shortcut is not None:
            copy_convolution(model.get_layer(f"{name}_0_conv"), block.shortcut[0])
            copy_norm(model.get_layer(f"{name}_0_bn"), block.shortcut[1])
    return network


def test_features_agree(backbone):
    images = np.random.default_rng(5).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    ours = backbone.predict_on_batch(preprocessing.make("torch", SIZE).predict_on_batch(images))
    mean, deviation = (torch.tensor(x).view(1, 3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    pixels = torch.tensor(images.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    with torch.no_grad():
        theirs = twin(backbone)((pixels - mean) / deviation).numpy().transpose(0, 2, 3, 1)
    assert ours.shape == theirs.shape == (2, 3, 3, 512)
    assert theirs.std() > 0.1
    np.testing.assert_allclose(ours / theirs.std(), theirs / theirs.std(), atol=1e-4)


def test_parameters_agree(backbone):
    trainable = sum(weight.numel() for weight in ResNet18().parameters())
    assert trainable == 11_176_512
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == trainable
