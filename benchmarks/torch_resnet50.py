"""ResNet50 in PyTorch, as torchvision has it, with seven classes: what the others are measured against."""

import torch
from torch import nn

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # channels, blocks, stride


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut: He et al., Deep residual learning, CVPR 2016."""

    def __init__(self, inputs: int, channels: int, stride: int, widens: bool) -> None:
        super().__init__()
        self.path = nn.Sequential(
            *conv(inputs, channels, 1), nn.ReLU(True),
            *conv(channels, channels, 3, stride), nn.ReLU(True),
            *conv(channels, 4 * channels, 1),
        )  # fmt: skip
        self.shortcut = nn.Sequential(*(conv(inputs, 4 * channels, 1, stride) if widens else []))
        self.relu = nn.ReLU(True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.path(x) + self.shortcut(x))


def resnet50(classes: int) -> nn.Module:
    """From images (N, 3, H, W) to logits (N, classes); weights and activations lie with the channels last."""
    layers, inputs = [*conv(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for channels, blocks, stride in STAGES:
        for block in range(blocks):
            layers.append(Bottleneck(inputs, channels, stride if block == 0 else 1, block == 0))
            inputs = 4 * channels
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(inputs, classes))
    return network.to(memory_format=torch.channels_last)


def bfloat16() -> torch.autocast:
    """A context that computes in bfloat16 on the CPU where that is safe."""
    return torch.autocast("cpu", torch.bfloat16)


def as_input(images: torch.Tensor) -> torch.Tensor:
    """Images uint8 (N, H, W, 3), 0-255, as the network wants them: float32 (N, 3, H, W), 0-1, channels last."""
    return images.permute(0, 3, 1, 2).float() / 255
