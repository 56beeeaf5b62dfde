"""Overlay of a heat map on its image."""

import cv2
import matplotlib
import numpy as np

# Colours that skin does not have; the strongest is yellow.
COLOURS = (matplotlib.colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
STRONGEST = 0.65  # share of the colour where the heat is 1; with heat 0 the image is unchanged


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Colour an image, RGB uint8 (H, W, 3), by its heat map of 0 to 1, (h, w) of any size; return the same shape."""
    height, width = image.shape[:2]
    smooth = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = COLOURS[(smooth * 255).round().astype(int)]
    share = STRONGEST * smooth[:, :, None]
    return (image * (1 - share) + colour * share).round().astype(np.uint8)
