"""Every CPU makes the same data: the libraries are told to compute as on an older CPU, each in a process of its own.

As a script this file makes data and prints their MD5s: `sample N` of every N-th image of the sample, in the current
folder; `copies FILE ...` of copies of these images.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from skinlesion.balance import augment
from skinlesion.core import images
from skinlesion.download import sample as drawn
from skinlesion.runtime import paths
from stages import balance, download, merge
from tests.helpers.chain import ROOT, load_sample

SIZE, LARGER, COPIES = 128, 224, 3  # px, px (the real images are enlarged to it), of each image


def opencv_features() -> list[str]:
    """The instruction sets that OpenCV uses where it has code for them: *AVX2; *AVX2? is one that it does not use."""
    return [word[1:] for word in cv2.getCPUFeaturesLine().split() if word.startswith("*") and not word.endswith("?")]


def numpy_features() -> list[str]:
    """As `opencv_features`, of NumPy."""
    return np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])


OPENCV = {"OPENCV_CPU_DISABLE": ",".join(opencv_features()), "OPENCV_IPP": "sse42"}
SETTINGS = {
    "as it is": {},
    "OpenCV": OPENCV,
    "all": OPENCV
    | {
        "NPY_DISABLE_CPU_FEATURES": " ".join(numpy_features()),
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",  # of Linux: math's functions
    },
}


@pytest.mark.chain
@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_the_sample_has_the_same_bytes(every, tmp_path, write_params):
    for name in SETTINGS:
        (tmp_path / name).mkdir()
        write_params(tmp_path / name / "params.yaml", {"data.duplicates": None, "balance.per_class": 120 // every})
    check(tmp_path, "sample", every)


def test_copies_of_real_images_have_the_same_bytes(tmp_path, real_raw):
    for name in SETTINGS:
        (tmp_path / name).mkdir()
    check(tmp_path, "copies", *sorted(real_raw.glob("*/*.jpg"))[::100][:100])


def check(folder: Path, *words: object) -> None:
    """Run this file as a script under each of SETTINGS, in the folder of its name, and compare the MD5s."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    runs = {
        name: subprocess.Popen(
            [sys.executable, __file__, *map(str, words)],
            cwd=folder / name,
            env=environment | variables,
            stdout=subprocess.PIPE,
        )
        for name, variables in SETTINGS.items()
    }
    made = {name: json.loads(process.communicate()[0].splitlines()[-1]) for name, process in runs.items()}
    assert not made["OpenCV"]["opencv"], "its instruction sets are named otherwise now"
    assert not made["all"]["numpy"], "its instruction sets are named otherwise now"
    assert made["OpenCV"]["md5"] == made["as it is"]["md5"]
    assert made["all"]["md5"] == made["as it is"]["md5"]


def sample(every: int) -> dict[str, str]:
    """Run the data stages on every so many images of the sample; the MD5 of each folder that they wrote."""
    views = drawn.sample_views()[::every]
    drawn.sample_views = lambda: views
    for stage in (download, merge, balance):
        stage.main()
    return {str(folder): md5(folder) for folder in (paths.RAW, paths.MERGED, paths.BALANCED, paths.BALANCE_PLOTS)}


def md5(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files
    return hashlib.md5(b"".join(path.as_posix().encode() + path.read_bytes() for path in files)).hexdigest()


def copies(files: list[str]) -> dict[str, str]:
    """The MD5 of squares of the images and of COPIES of each."""
    operations = load_sample().balance.operations
    random = np.random.default_rng(5)
    squares = [images.square(Path(file), SIZE, "crop")[0] for file in files]
    larger = [images.square(Path(file), LARGER, "crop")[0] for file in files]
    made = [augment.apply(augment.draw(operations, random), image) for image in squares for _ in range(COPIES)]
    arrays = {"squares": squares, "larger squares": larger, "copies": made}
    return {name: hashlib.md5(np.stack(some)).hexdigest() for name, some in arrays.items()}


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    md5s = sample(int(rest[0])) if kind == "sample" else copies(rest)
    print(json.dumps({"md5": md5s, "opencv": opencv_features(), "numpy": numpy_features()}))
