"""Pictures and charts in the page: whole, and small enough together."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from skinlesion.report import curves, figures
from skinlesion.report.inputs import Inputs


def decode(uri: str) -> tuple[str, bytes]:
    kind, content = uri.removeprefix("data:").split(";base64,")
    return kind, base64.b64decode(content)


def test_a_small_picture_is_unchanged(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "small.png")
    assert decode(figures.embed_picture(tmp_path / "small.png")) == ("image/png", (tmp_path / "small.png").read_bytes())


def test_a_large_one_becomes_smaller_and_keeps_shape_and_colours(tmp_path: Path, noise: Callable) -> None:
    """A red square on noise, which no method compresses."""
    image = noise(2, 1200, 1200)
    image[200:600, 200:600] = (200, 30, 40)
    Image.fromarray(image).save(tmp_path / "large.png")
    kind, content = decode(figures.embed_picture(tmp_path / "large.png"))
    assert kind == "image/jpeg"
    assert len(content) < (tmp_path / "large.png").stat().st_size
    shown = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    assert shown.shape == image.shape
    assert np.abs(shown[220:580, 220:580] - [200, 30, 40]).max() < 40


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("phases", [[1], [2], [6], [20], [1, 1], [10, 1]], ids=str)
def test_the_history_has_whole_epochs_and_axes_as_wide_as_the_figure(
    phases: list[int], honest: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "draw_chart", lambda title, alt, size, draw, kind: draw)
    history = honest.tables["history"].iloc[[0] * sum(phases)].assign(epoch=np.arange(sum(phases)) + 1)
    history["phase"] = np.repeat(np.arange(len(phases)) + 1, phases)
    metrics = {**honest.metrics, "train": {**honest.metrics["train"], "best_epoch": 1}}
    figure = Figure((9.4, 6.2), layout="constrained")
    curves.draw_history(replace(honest, tables={**honest.tables, "history": history}, metrics=metrics))(figure)
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) for tick in ticks)
        assert axes.get_position().width > 0.8
    assert figure.axes[0].get_title("left").count("phase") == len(phases)
