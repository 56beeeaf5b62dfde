"""Inputs that are damaged, mistaken or harmful: each ends with one message and exit code 1, and nothing half-written.

A row holds the fault, how it is made and read (for params: the changed values by dotted key), and words that the
message must have: names, values, the remedy. `pytest -k bad -rP` shows the messages.
"""

import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import keras
import numpy as np
import pytest
from PIL import Image

from skinlesion.core import images, metadata
from skinlesion.core.ham10000 import CODES
from skinlesion.download.archive import unpack
from skinlesion.merge.merge import merge
from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.runtime import entry, params
from skinlesion.runtime.files import replace_folder
from skinlesion.runtime.params import sections
from tests.helpers.chain import ROOT, load_sample
from tests.helpers.references import ALL_USUAL

Act = Callable[[Path], object]  # makes the fault in an empty folder and reads it
Files = dict[str | ZipInfo, bytes]
Change = Callable[[dict[str, bytes]], dict[str, bytes]]

TABLE, PART = "HAM10000_metadata.csv", "HAM10000_images_part_1"
ONE = f"{PART}/ISIC_1.jpg"
HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
GOOD = "HAM_1,ISIC_1,nv,histo,45,male,back"
ALL_OFF = dict.fromkeys(sections.Operations.model_fields, 0)
REAL: Files = {TABLE: f"{HEADER}\n{GOOD}\n".encode(), ONE: b"picture"}


def content_of(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
JPEG, PNG = content_of(NOISE, "JPEG"), content_of(NOISE, "PNG")


# How each fault is made --------------------------------------------------------------------------


def zipped(files: Files, method: int = ZIP_DEFLATED, **directory: int) -> bytes:
    """Return a zip of `files`; `directory`: what its directory says of ISIC_1, and the member itself does not."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in archive.filelist:
            for name, value in directory.items() if info.filename == ONE else ():
                setattr(info, name, value)
    return buffer.getvalue()


def archive(content: bytes | None, folder: Path) -> None:
    if content is not None:
        (folder / "x.zip").write_bytes(content)
    unpack_alone(folder)


def archive_folder(content: bytes | None, folder: Path) -> None:
    """A folder as archive; its image has this content, or is a link to a file outside."""
    (folder / "x.zip" / PART).mkdir(parents=True)
    (folder / "x.zip" / TABLE).write_bytes(REAL[TABLE])
    (folder / "secret.txt").write_text("secret")
    if content is None:
        (folder / "x.zip" / ONE).symlink_to("../../secret.txt")
    else:
        (folder / "x.zip" / ONE).write_bytes(content)
    unpack_alone(folder)


def unpack_alone(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    try:
        with replace_folder(folder / "raw") as target:
            unpack(folder / "x.zip", target)
    finally:
        assert sorted(folder.rglob("*")) == before, "something was written outside"


def read(content: bytes | str | None, name: str, reader: Callable[[Path], object], folder: Path) -> None:
    """Read a file with this content; None: a missing file."""
    if content is not None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    reader(folder / name)


def image(content: bytes) -> Act:
    return partial(read, content, "x.jpg", images.read)


def table(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> Act:
    return partial(read, "\n".join([header, GOOD, *lines]).encode(encoding), "x.csv", metadata.read)


def table_of(content: bytes | str | None) -> Act:
    return partial(read, content, "x.csv", metadata.read)


def params_of(content: str | None) -> Act:
    def load(path: Path) -> None:
        shutil.copy(ROOT / "networks.yaml", path.parent)
        params.load(path)

    return partial(read, content, "x.yaml", load)


def with_scans(times: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated; decoding takes as much longer."""
    content = content_of(NOISE, "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * times + content[-2:]


def png_of(width: int, height: int) -> bytes:
    """Return the start of a PNG of so many pixels."""
    start = PNG.index(b"IHDR") + 4
    header = PNG[start - 4 : start] + width.to_bytes(4) + height.to_bytes(4) + PNG[start + 8 : start + 13]
    return PNG[: start - 4] + header + zipfile.crc32(header).to_bytes(4) + PNG[start + 17 :]


def raw(files: dict[str, bytes], **data: Any) -> Act:
    """A data/raw of one row, as merge reads it."""

    def act(folder: Path) -> None:
        (folder / "raw" / PART).mkdir(parents=True)
        (folder / "raw" / TABLE).write_bytes(REAL[TABLE])
        for name, content in files.items():
            (folder / "raw" / PART / name).write_bytes(content)
        settings = load_sample()
        values = settings.data.model_copy(update={"duplicates": None} | data)
        try:
            with replace_folder(folder / "merged") as target:
                merge(folder / "raw", target, values, settings.images)
        finally:
            assert [path.name for path in folder.iterdir()] == ["raw"]

    return act


def model(spoil: Callable[[Path], object], shape: tuple = (8, 8, 3), outputs: int = 7, last: Any = None) -> Act:
    """A small model file, spoilt after it was saved."""

    def act(folder: Path) -> None:
        pixels = keras.Input(shape)
        output = (last or keras.layers.Dense(outputs, activation="softmax"))(keras.layers.Flatten()(pixels))
        even = np.full(7, 1 / 7)
        whole = bundle.Bundle(keras.Model(pixels, output), Calibration(1.5, even, even), "crop", ALL_USUAL)
        bundle.save(whole, folder / "x.keras")
        spoil(folder / "x.keras")
        bundle.load(folder / "x.keras")

    return act


def members(change: Change, method: int = zipfile.ZIP_STORED) -> Act:
    def spoil(path: Path) -> None:
        with ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        path.write_bytes(zipped(change(contents), method))

    return model(spoil)


def with_member(name: str, content: bytes) -> Change:
    return lambda contents: contents | {name: content}


def without(name: str) -> Change:
    return lambda contents: {other: contents[other] for other in contents if other != name}


def ours(content: dict) -> Act:
    return members(with_member(bundle.OURS, json.dumps(content).encode()))


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_h5(path: Path) -> None:
    with ZipFile(path) as archive:
        path.write_bytes(archive.read("model.weights.h5"))


def unchanged(_: Path) -> None:
    pass


# The faults --------------------------------------------------------------------------------------

ARCHIVES = {  # each names the archive
    "an archive that is missing": (partial(archive, None),),
    "a web page for an archive": (partial(archive, b"<html>403 Forbidden</html>"),),
    "a zip cut short": (partial(archive, zipped(REAL)[:-30]),),
    "no metadata": (partial(archive, zipped({ONE: b"picture"})), "HAM10000_metadata.csv"),
    "no images": (partial(archive, zipped({TABLE: b"", "readme.txt": b""})),),
    "an encrypted image": (partial(archive, zipped(REAL, flag_bits=1)), "ISIC_1"),
    "an image with a wrong checksum": (partial(archive, zipped(REAL, CRC=1)), "ISIC_1"),
    "an image that unpacks to 30 MB": (partial(archive, zipped(REAL | {ONE: bytes(30_000_000)})), "ISIC_1", "MB"),
    "a link out of a folder": (partial(archive_folder, None), "ISIC_1"),
    "a file of 30 MB in a folder": (partial(archive_folder, bytes(30_000_000)), "ISIC_1", "MB"),
}

IMAGES = {
    "an empty image": (image(b""), "not a picture"),
    "text for an image": (image(b"<html>not found</html>"), "not a picture"),
    "a program for an image": (image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "not a picture"),
    "a JPEG of a header alone": (image(JPEG[:20]), "not a picture"),
    "a JPEG without its start": (image(JPEG[50:]), "not a picture"),
    "a JPEG cut short": (image(JPEG[:700]), "cut short"),
    "a PNG cut short": (image(PNG[:2000]), "cut short"),
    "a JPEG of very many scans": (image(with_scans(101)), "111 JPEG scans"),
    "56 million pixels": (image(png_of(8000, 7000)), "8000 x 7000", "50 million"),
    "400 million pixels": (image(png_of(20_000, 20_000)), "50 million"),
    "32-bit grey": (image(content_of(Image.new("I", (8, 8)), "TIFF")), "32-bit"),
    "grey in floats": (image(content_of(Image.new("F", (8, 8)), "TIFF")), "32-bit"),
}

METADATA = {  # each says to correct the archive and download again
    "metadata that are missing": (table_of(None), "missing"),
    "empty metadata": (table_of("\n\n"),),
    "a header without rows": (table_of(HEADER), "no rows"),
    "a picture for metadata": (table_of(JPEG),),
    "UTF-16": (table_of(f"{HEADER}\n{GOOD}".encode("utf-16")), "lesion_id"),
    "a column that is missing": (table(header=HEADER.replace("dx_type", "type")), "dx_type", "localization"),
    "a column that is there twice": (table(header=f"{HEADER},age"), "age"),
    "another separator": (table_of(f"{HEADER}\n{GOOD}".replace(",", ";")), "lesion_id"),
    "a row too short": (table("HAM_2,ISIC_2,mel,histo,45"), "ISIC_2", "row 3", "cells"),
    "a row too long": (table(f"{GOOD},more"), "line 3"),
    "a separator at the end of every row": (table_of(f"{HEADER}\n{GOOD},\n{GOOD.replace('_1', '_2')},"), "line 2"),
    "a quote that is not closed": (table('HAM_2,ISIC_2,mel,"histo,45,male,back'), "CSV"),
    "Latin-1": (table("HAM_2,ISIC_2,mel,histo,45,male,Rücken", encoding="latin-1"), "localization", "row 3", "UTF-8"),
    "a NUL": (table("HAM_2,ISIC_2,mel,histo,45,ma\0le,back"), "sex", "row 3", "printable"),
    "a blank image_id": (table("HAM_2, ,mel,histo,45,male,back"), "image_id", "'' in row 3"),
    "an image_id that is a path": (table("HAM_2,../../x,mel,histo,45,male,back"), "image_id", "'../../x' in row 3"),
    "an absolute image_id": (table("HAM_2,/etc/x,mel,histo,45,male,back"), "image_id", "'/etc/x' in row 3"),
    "an endless image_id": (table(f"HAM_2,{'x' * 101},mel,histo,45,male,back"), "image_id", "row 3", "100"),
    "a blank lesion_id": (table(",ISIC_2,mel,histo,45,male,back"), "lesion_id", "row 3"),
    "an unknown dx": (table("HAM_2,ISIC_2,scc,histo,45,male,back"), "dx", "'scc' in row 3", *CODES),
    "an age in words": (table("HAM_2,ISIC_2,mel,histo,45 years,male,back"), "age", "'45 years' in row 3", "0 to 120"),
    "ages that are none": (
        table(*(f"HAM_2,ISIC_2,mel,histo,{age},male,back" for age in ("nan", "inf", "-5", "1e9", "121", "0x10", "٤٥"))),
        *("age", "'nan' in row 3", "'inf' in row 4", "'-5' in row 5", "'1e9' in row 6", "'121' in row 7", "2 more"),
    ),
    "an image_id twice": (table("HAM_2,ISIC_1,mel,histo,45,male,back"), "image_id", "ISIC_1", "row 2", "row 3"),
    "a cell of two lines": (
        table('HAM_2,ISIC_2,mel,histo,45,male,"lower', 'leg"', "HAM_3,ISIC_3,x,histo,45,male,back"),
        *("localization", "row 3"),
    ),
}

MERGED = {
    "a row without its image": (raw({}), "ISIC_1", "dvc repro -f download"),
    "an image without its row": (raw({"ISIC_1.jpg": JPEG, "ISIC_2.jpg": JPEG}), "ISIC_2.jpg", "dvc repro -f download"),
    "damaged images": (raw({"ISIC_1.jpg": b""}), "ISIC_1.jpg", "(1)", "on_bad_image: skip", "dvc repro -f download"),
    "no image that is whole": (raw({"ISIC_1.jpg": b""}, on_bad_image="skip"), "two classes", "dvc repro -f download"),
    "one class alone": (raw({"ISIC_1.jpg": JPEG}), "two classes", "nv", "dvc repro -f download"),
}

PARAMS = {
    "no params": (params_of(None), "missing", "git checkout"),
    "params that are no YAML": (params_of("seed: [1"), "YAML"),
    "params in tabs": (params_of("\tseed: 1"), "YAML"),
    "empty params": (params_of(""), "section"),
    "params that are a list": (params_of("[1, 2]"), "[1, 2]", "section"),
    "a mistyped key": ({"train.batchsize": 32}, "train.batchsize", "'batch_size'?"),
    "a key that is no identifier": ({"train.batch-size": 32}, "train.batch-size", "'batch_size'?"),
    "a key like none": ({"images.xyz": 8}, "images.xyz", "Remove"),
    "a mistyped key in an optional section": ({"train.augmentation": {"rotat": 3}}, "augmentation.rotat", "'rotate'?"),
    "a mistyped section": ({"trian": {}}, "trian", "'train'?"),
    "a missing key": ({"split.protocol": ...}, "split.protocol", "missing"),
    "a missing section": ({"split": ...}, "split", "missing"),
    "text for a number": ({"train.batch_size": "many"}, "train.batch_size", "'many'", "integer"),
    "half an image": ({"balance.per_class": 2.5}, "balance.per_class", "2.5", "integer"),
    "no image per class": ({"balance.per_class": 0}, "balance.per_class", "0", "1"),
    "a number out of range": ({"images.size": 8}, "images.size", "8", "16"),
    "a negative range": ({"balance.operations.zoom": -0.1}, "balance.operations.zoom", "-0.1"),
    "no number": ({"train.label_smoothing": float("nan")}, "train.label_smoothing", "nan"),
    "a value that is none of the choices": ({"images.fit": "pad"}, "images.fit", "'pad'", "'stretch' or 'crop'"),
    "a section that is a number": ({"split": 3}, "split", "3", "section"),
    "a split that does not sum to 1": ({"split.train": 0.9}, "split", "1.2", "sum to 1"),
    "a split without a test": ({"split.train": 0.85, "split.test": 0}, "split", "test", "above 0"),
    "a fold beyond the last": ({"split.folds": 5, "split.fold": 5}, "split", "fold is 5", "fold: 4"),
    "a fold without folds": ({"split.fold": 1}, "split", "folds is null", "fold: 0"),
    "folds of images": ({"split.folds": 5, "split.protocol": "image"}, "split", "protocol: lesion", "folds: null"),
    "one fold": ({"split.folds": 1}, "split.folds", "2"),
    "every operation off": ({"balance.operations": ALL_OFF}, "balance", "every operation", "per_class: null"),
    "an archive without its path": ({"data.source": "archive", "data.archive": None}, "data", "archive", "path"),
    "an external archive without its path": (
        {"data.source": "kaggle", "external.source": "archive", "external.archive": None},
        *("external", "external.archive"),
    ),
    "a drawn set beside a real one": (
        {"data.source": "kaggle", "external.source": "sample"},
        *("external.source is sample", "data.source is kaggle", "external.source: none"),
    ),
    "duplicates elsewhere": ({"data.duplicates": "/etc/passwd"}, "data", "/etc/passwd", "presets/duplicates"),
    "a mistyped backbone": ({"model.backbone": "resnet5"}, "model.backbone", "'resnet5'", "'resnet50'?"),
    "an unknown head": ({"model.head": "xyz"}, "model.head", "'xyz'", "gap_dense"),
    "an unknown configuration": ({"model.configuration": "Z"}, "model.configuration", "'Z'", "two_phase"),
    "images too small for the backbone": (
        {"model.backbone": "inception_resnet_v2", "images.size": 64},
        *("images.size", "64", "inception_resnet_v2", "75"),
    ),
    "images that make no patches": ({"model.backbone": "dinov2_small"}, "images.size", "80", "14", "70 or 84"),
    "two that set the learning rate": (
        {"train.schedule": "cosine", "train.reduce_learning_rate": {"patience": 3, "factor": 0.3}},
        *("train", "cosine", "reduce_learning_rate: null"),
    ),
    "weight decay without its optimizer": ({"train.weight_decay": 0.1}, "train", "0.1", "optimizer: adamw"),
    "a flip that Keras has not": (
        {"train.augmentation": dict.fromkeys(sections.Augmentation.model_fields, 0.2)},
        *("train.augmentation.flip_horizontal", "0.2", "0.5"),
    ),
    "a phase that trains nothing known": (
        {"configurations.quick": [{"train": "tail", "epochs": 1, "learning_rate": 0.1, "batch_norm": "train"}]},
        *("configurations.quick.0.train", "'tail'", "'head'"),
    ),
    "batch normalization that trains in a frozen backbone": (
        {"configurations.quick": [{"train": "head", "epochs": 1, "learning_rate": 0.1, "batch_norm": "train"}]},
        *("configurations.quick.0", "batch_norm: frozen"),
    ),
    "class frequencies corrected twice": (
        {"train.sampling": "balanced", "train.logit_adjustment": 1},
        *("train", "sampling: balanced", "logit_adjustment: 1"),
    ),
    "mixed classes that cannot be weighed": (
        {"train.mix": "cutmix", "train.class_weights": "balanced"},
        *("train", "mix: cutmix", "class_weights"),
    ),
    "a configuration without phases": ({"configurations.quick": []}, "configurations.quick"),
    "a head of two keys": ({"heads.gap": [{"dropout": 0.3, "dense": 5}]}, "heads.gap.0", "one key", "networks.yaml"),
    "a head with a mistyped key": ({"heads.gap": [{"droput": 0.3}]}, "heads.gap.0.droput", "'dropout'?"),
    "a head without a value": ({"heads.gap": [{"dropout": None}]}, "heads.gap.0", "dropout", "value"),
    "a head that pools twice": (
        {"heads.gap": [{"flatten": True}, {"flatten": True}]},
        "heads.gap",
        "Remove the others",
    ),
    "a head that never pools": ({"heads.gap": [{"dense": 5}]}, "heads.gap", "Add one of them"),
    "a head in the wrong order": ({"heads.gap": [{"dense": 5}, {"flatten": True}]}, "heads.gap", "dense", "after"),
    "a constructor from elsewhere": (
        {"backbones.resnet50.constructor": "os.system"},
        *("backbones.resnet50.constructor", "'os.system'"),
    ),
}

MODELS = {  # each says to train a model
    "a model that is missing": (model(Path.unlink), "missing"),
    "text for a model": (model(lambda path: path.write_text("# my model")), ".keras"),
    "a folder for a model": (model(to_folder), ".keras"),
    "an .h5 renamed": (model(to_h5), ".keras"),
    "a model cut short": (model(lambda path: path.write_bytes(path.read_bytes()[:-99])), ".keras"),
    "a zip that is no model": (members(lambda _: {"readme.txt": b""}), "model.weights.h5"),
    "a model without weights": (members(without("model.weights.h5")), "model.weights.h5"),
    "a model of plain Keras": (members(without(bundle.OURS)), "skinlesion.json"),
    "a model with more in it": (members(with_member("assets/../../x", b"")), "assets/../../x"),
    "a model that unpacks to more": (members(with_member("model.weights.h5", bytes(10**8)), ZIP_DEFLATED),),
    "a model whose weights are none": (members(with_member("model.weights.h5", b"text")),),
    "a model whose layers are none": (members(with_member("config.json", b"{}")),),
    "a model of other classes": (ours({"classes": ["cat", "dog"]}), "cat", "akiec"),
    "a model that does not say how it fits": (ours({"classes": CODES}), "skinlesion.json", "fit"),
    "a model fitted in another way": (ours({"classes": CODES, "fit": "pad"}), "pad", "crop"),
    "a model with three outputs": (model(unchanged, outputs=3), "3", "7"),
    "a model of grey images": (model(unchanged, shape=(8, 8, 1)), "(None, 8, 8, 1)"),
    "a model with code in it": (model(unchanged, last=keras.layers.Lambda(lambda x: x, output_shape=(192,))),),
}

KINDS = [
    (ARCHIVES, "x.zip"),
    (IMAGES, "x.jpg"),
    (METADATA, "x.csv", "dvc repro -f download"),
    (MERGED, ""),
    (PARAMS, ""),
    (MODELS, "x.keras", "dvc repro train"),
]
ROWS = [
    pytest.param(fault, [*common, *words], id=name) for rows, *common in KINDS for name, (fault, *words) in rows.items()
]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("fault", "words"), ROWS)
def test_bad_input_ends_with_one_message(
    fault: Act | dict[str, Any], words: list[str], tmp_path: Path, write_params: Callable, monkeypatch
) -> None:
    def main() -> None:
        if isinstance(fault, dict):
            params.load(write_params(tmp_path / "x.yaml", fault))
        else:
            fault(tmp_path)

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as caught:
        entry.run(main, "stage")
    message = caught.value.code
    print(message)
    assert message.startswith("stage: "), "text as exit code: printed to stderr, with status 1"
    assert [word for word in words if word not in message] == []
    assert not list(tmp_path.rglob(".partial-*"))
