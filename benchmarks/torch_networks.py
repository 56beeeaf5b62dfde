"""The networks in PyTorch, as torchvision and timm have them, with a classifier: what ours is measured against."""

import torch
from torch import nn

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride
# Channels, blocks, stride, side of the kernel, expansion: Tan and Le, EfficientNet, ICML 2019, table 1.
INVERTED = ((16, 1, 1, 3, 1), (24, 2, 2, 3, 6), (40, 2, 2, 5, 6), (80, 3, 2, 3, 6),
            (112, 3, 1, 5, 6), (192, 4, 2, 5, 6), (320, 1, 1, 3, 6))  # fmt: skip


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """A path of layers beside a shortcut: He et al., Deep residual learning, CVPR 2016."""

    def __init__(self, path: list[nn.Module], shortcut: list[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.path, self.shortcut, self.last = nn.Sequential(*path), nn.Sequential(*shortcut), last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.path(x) + self.shortcut(x))


def basic(inputs: int, channels: int, stride: int) -> tuple[list[nn.Module], int]:
    """The path of ResNet18's block, and how many channels come out."""
    return [*conv(inputs, channels, 3, stride), nn.ReLU(True), *conv(channels, channels, 3)], channels


def bottleneck(inputs: int, channels: int, stride: int) -> tuple[list[nn.Module], int]:
    """The path of ResNet50's block, and how many channels come out."""
    path = [
        *conv(inputs, channels, 1), nn.ReLU(True),
        *conv(channels, channels, 3, stride), nn.ReLU(True),
        *conv(channels, 4 * channels, 1),
    ]  # fmt: skip
    return path, 4 * channels


def resnet(block, counts: tuple[int, ...], classes: int) -> nn.Module:
    layers, inputs = [*conv(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for (channels, stride), count in zip(STAGES, counts, strict=True):
        for number in range(count):
            step = stride if number == 0 else 1
            path, outputs = block(inputs, channels, step)
            shortcut = conv(inputs, outputs, 1, step) if (inputs, step) != (outputs, 1) else []
            layers.append(Residual(path, shortcut, nn.ReLU(True)))
            inputs = outputs
    return classifier(layers, inputs, classes)


def efficientnet_lite0(classes: int) -> nn.Module:
    layers, inputs = [*conv(3, 32, 3, 2), nn.ReLU6(True)], 32
    for channels, count, stride, kernel, expansion in INVERTED:
        for number in range(count):
            step, wide = stride if number == 0 else 1, inputs * expansion
            path = [
                *([*conv(inputs, wide, 1), nn.ReLU6(True)] if expansion > 1 else []),
                *conv(wide, wide, kernel, step, groups=wide), nn.ReLU6(True),
                *conv(wide, channels, 1),
            ]  # fmt: skip
            layers += path if (inputs, step) != (channels, 1) else [Residual(path, [], nn.Identity())]
            inputs = channels
    return classifier([*layers, *conv(inputs, 1280, 1), nn.ReLU6(True)], 1280, classes)


def classifier(layers: list[nn.Module], channels: int, classes: int) -> nn.Module:
    """From images (N, 3, H, W) to logits (N, classes); weights and activations lie with the channels last."""
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels, classes)
    )
    return network.to(memory_format=torch.channels_last)


NETWORKS = {
    "resnet50": lambda classes: resnet(bottleneck, (3, 4, 6, 3), classes),
    "resnet18": lambda classes: resnet(basic, (2, 2, 2, 2), classes),
    "efficientnet_lite0": efficientnet_lite0,
}


def in_precision(precision: str) -> torch.autocast:
    """A context that computes on the CPU in float32; or in bfloat16 where that is safe."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision != "float32")


def as_input(images: torch.Tensor) -> torch.Tensor:
    """Images uint8 (N, H, W, 3), 0-255, as the network wants them: float32 (N, 3, H, W), 0-1, channels last."""
    return images.permute(0, 3, 1, 2).float() / 255
