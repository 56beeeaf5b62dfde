"""Shared fixtures: the committed params and ways to change them; tiny data in HAM10000's layout."""

import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from filelock import FileLock
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.download import archive
from skinlesion.runtime import params
from tests.helpers import chain

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background, which what tests start would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chain tests come first, then trainings: the workers then end at about the same time, with short tests."""
    items.sort(key=lambda item: (not item.get_closest_marker("chain"), not item.get_closest_marker("training")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("bfloat16") and "ONEDNN_MAX_CPU_ISA" in os.environ:
        # TensorFlow asks the CPU itself, calls oneDNN's bfloat16 kernels, which the variable took away, and crashes.
        pytest.skip("TensorFlow crashes in bfloat16 where ONEDNN_MAX_CPU_ISA hides what the CPU has")


def with_values(content: dict, changes: dict[str, Any]) -> dict:
    """A copy of `content`, a document of params, with values by dotted key; `...` takes a key out.

    With another data.source than the sample, external.source is none: that set is drawn, as the sample.
    """
    content = yaml.safe_load(yaml.safe_dump(content))
    if changes.get("data.source", "sample") != "sample":
        changes = {"external.source": "none", **changes}
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    return content


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`shared(name, make)`: a folder that `make(folder)` fills once per test run, for all workers; read it only."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def document() -> dict:
    """The params of the sample and the tables of networks.yaml, as plain values."""
    return yaml.safe_load(chain.SAMPLE) | yaml.safe_load((chain.ROOT / "networks.yaml").read_text())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The params.yaml of the sample, networks.yaml and presets/, in the current folder."""
    shutil.copytree(chain.ROOT / "presets", tmp_path / "presets")
    shutil.copy(chain.ROOT / "networks.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(chain.SAMPLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def settings() -> params.Params:
    """The params of the sample as the stages read them."""
    return chain.load_sample()


@pytest.fixture(scope="session")
def change(document: dict) -> Callable[[dict[str, Any]], params.Params]:
    """`change({"balance.per_class": 5})`: the params of the sample with other values, checked."""
    return lambda changes: params.Params.model_validate(with_values(document, changes))


@pytest.fixture(scope="session")
def write_params(document: dict) -> Callable[[Path, dict[str, Any]], Path]:
    """`write_params(path, {"seed": 5})`: the params of the sample with other values, and networks.yaml beside them."""

    def write(path: Path, changes: dict[str, Any]) -> Path:
        write_document(path, with_values(document, changes))
        return path

    return write


def write_document(path: Path, content: dict) -> None:
    """Write a document as `document` is: params to `path`, what a network is made of to networks.yaml beside it."""
    tables = {key: content[key] for key in params.Networks.model_fields if key in content}
    rest = {key: value for key, value in content.items() if key not in tables}
    path.write_text(yaml.safe_dump(rest, sort_keys=False), encoding="utf-8")
    path.with_name("networks.yaml").write_text(yaml.safe_dump(tables, sort_keys=False), encoding="utf-8")


def noise(seed: int, height: int = 30, width: int = 40) -> np.ndarray:
    """A random picture: RGB uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="session", name="noise")
def noise_fixture() -> Callable[..., np.ndarray]:
    """`noise(seed, height, width)`: a random picture."""
    return noise


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """`tree(folder)`: the bytes of every file in it, hidden ones too, by relative path."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pd.DataFrame]:
    """`make_table(nv=40, df=5)`: image_id, group and dx of so many lesions per class.

    Every third lesion has two images, every ninth has three; ids depend only on class and number.
    """

    def make(**lesions: int) -> pd.DataFrame:
        rows = [
            {"image_id": f"{code}_{lesion}_{view}", "group": f"HAM_{code}_{lesion}", "dx": code}
            for code, count in lesions.items()
            for lesion in range(count)
            for view in range(1 + (lesion % 3 == 0) + (lesion % 9 == 0))
        ]
        return pd.DataFrame(rows).sort_values("image_id", ignore_index=True)

    return make


def make_raw(raw: Path) -> None:
    """Write four lesions of each class, the first with two views, as download leaves HAM10000.

    The images are noise, 40x30 px; one age in five is blank.
    """
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    lesions = [(code, view) for code in CODES for view in ("1", "1", "2", "3", "4")]
    rows = [
        (f"HAM_{code}{lesion}", f"ISIC_{number:04d}", code, "histo", "", "male", "back")
        if number % 5 == 0
        else (
            f"HAM_{code}{lesion}",
            f"ISIC_{number:04d}",
            code,
            "histo",
            "45.0",
            "female",
            "unknown",
        )
        for number, (code, lesion) in enumerate(lesions)
    ]
    raw.mkdir(parents=True)
    for number, row in enumerate(rows):
        part = raw / f"HAM10000_images_part_{1 + number % 2}"
        part.mkdir(exist_ok=True)
        Image.fromarray(noise(number)).save(part / f"{row[1]}.jpg")
    pd.DataFrame(rows, columns=columns).to_csv(raw / "HAM10000_metadata.csv", index=False)


@pytest.fixture(scope="session")
def raw_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny HAM10000 of `make_raw` lies; to be copied, not changed."""
    raw = tmp_path_factory.mktemp("raw") / "raw"
    make_raw(raw)
    return raw


@pytest.fixture(scope="session")
def reproduced(shared: Callable, raw_folder: Path, document: dict) -> Path:
    """`archive`, a tiny HAM10000, and `project`, a repository of this project in which `dvc repro` has run on it."""

    def make(folder: Path) -> None:
        shutil.copytree(raw_folder, folder / "archive")
        chain.copy_project(folder / "project")
        content = with_values(document, chain.SMALL | {"data.archive": str(folder / "archive")})
        row = content["backbones"]["resnet18"]
        content["backbones"]["two_blocks"] = deepcopy(row | {"arguments": row["arguments"] | chain.TWO_BLOCKS})
        write_document(folder / "project" / "params.yaml", content)
        chain.commit(folder / "project", "the project")
        assert chain.ran(chain.dvc(folder / "project", "repro")) == chain.STAGES
        chain.commit(folder / "project", "its results")

    return shared("reproduced", make)


@pytest.fixture
def project(
    tmp_path: Path,
    raw_folder: Path,
    write_params: Callable[[Path, dict[str, Any]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[dict[str, Any]], None]:
    """A tiny project as the current directory: data/raw, presets and params.yaml, for running stages.

    Calling it rewrites params.yaml: `project({"data.on_bad_image": "skip"})`.
    """
    shutil.copytree(chain.ROOT / "presets", tmp_path / "presets")
    shutil.copytree(raw_folder, tmp_path / "data" / "raw")
    monkeypatch.chdir(tmp_path)

    def set_params(changes: dict[str, Any]) -> None:
        small = {"images.size": 32, "balance.per_class": 7, "split.protocol": "lesion"}
        write_params(tmp_path / "params.yaml", small | changes)

    set_params({})
    return set_params


@pytest.fixture(scope="session")
def real_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real HAM10000, unpacked from the archive that the environment variable names."""
    named = Path(os.environ.get("HAM10000_ARCHIVE", ""))
    if not named.is_file():
        pytest.skip("HAM10000_ARCHIVE names no file")
    raw = tmp_path_factory.mktemp("real") / "raw"
    raw.mkdir()
    archive.unpack(named, raw)
    return raw


@pytest.fixture(scope="session")
def jpeg() -> Callable[[np.ndarray], bytes]:
    """`jpeg(image)`: the bytes of its JPEG file."""

    def encode(image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    return encode


@pytest.fixture
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Dask cluster of two worker processes in another folder; each says that it has one GPU."""
    distributed = pytest.importorskip("distributed")
    elsewhere = tmp_path_factory.mktemp("workers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None, local_directory=elsewhere
        )
    with cluster:
        yield cluster
