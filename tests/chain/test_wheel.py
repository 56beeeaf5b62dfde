"""The package without the repository: built as a wheel, installed elsewhere, and used on a picture."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import skinlesion
from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from tests.helpers import chain

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(chain.ROOT / "skinlesion", folder / "skinlesion", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "requirements.in"):
        shutil.copy(chain.ROOT / file, folder)
    chain.run(folder, sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "built", ".")
    (built,) = (folder / "built").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, noise: Callable) -> Path:
    """A folder with a model and a picture, and nothing of the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    layers = [keras.layers.Input((80, 80, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, "softmax")]
    even = np.full(7, 1 / 7)
    bundle.save(keras.Sequential(layers), Calibration(1.5, even, even), "crop", folder / "model.keras")
    Image.fromarray(noise(1, 90, 120)).save(folder / "lesion.png")
    return folder


def test_it_holds_the_package_with_its_data_and_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (about,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        needs = [line for line in archive.read(about).decode().splitlines() if line.startswith("Requires-Dist: ")]
    files = (chain.ROOT / "skinlesion").rglob("*")
    package = {path.relative_to(chain.ROOT).as_posix() for path in files if path.is_file()}
    assert names == {name for name in package if "__pycache__" not in name}
    assert {"Requires-Dist: keras", "Requires-Dist: tf2onnx>=1.17"} <= set(needs)


def test_predict_and_the_demo_s_parts_work_from_it(wheel: Path, used: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    chain.run(tmp_path, sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), str(wheel))
    code = (
        "import skinlesion; print(skinlesion.__file__)\n"
        "from skinlesion.commands.demo import likeness, server\n"
        "from skinlesion.__main__ import main; main(['predict', 'lesion.png', '--model', 'model.keras', '--top', '7'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}  # before the package that is installed in place
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=used, env=environment, capture_output=True, text=True, check=True
    )
    file, *said = done.stdout.splitlines()
    assert Path(file).is_relative_to(site)
    assert all(any(code in line for line in said) for code in CODES)


def test_python_and_the_command_say_the_same(used: Path, tmp_path: Path) -> None:
    from skinlesion.__main__ import main

    csv = tmp_path / "out.csv"
    model = skinlesion.load(used / "model.keras")
    found = model.predict(used / "lesion.png")
    assert tuple(found) == CODES
    assert sum(found.values()) == pytest.approx(1)
    with Image.open(used / "lesion.png") as picture:
        assert model.predict(np.asarray(picture)) == found
    assert model.predict(str(used / "lesion.png"), tta=8) == pytest.approx(found), "this network sees means alone"
    assert main(["predict", str(used / "lesion.png"), "--model", str(used / "model.keras"), "--csv", str(csv)]) == 0
    (row,) = pd.read_csv(csv).to_dict("records")
    assert {code: row[code] for code in CODES} == pytest.approx(found, abs=1e-6)
