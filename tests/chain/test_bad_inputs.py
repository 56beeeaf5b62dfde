"""Inputs that are damaged, mistaken or made to do harm, and the whole message that each gets.

Each row: the fault, how it is made and read, the message; `{path}` stands for the file or folder that is given, and
`{folder}` for the folder that it lies in.
"""

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import keras
import numpy as np
import pytest
from PIL import Image

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.download.archive import unpack
from skinlesion.merge import metadata
from skinlesion.merge.merge import merge
from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from tests.helpers.chain import ROOT

Act = Callable[[Path], object]  # makes the fault in an empty folder and reads it
Row = tuple[
    Act | dict[str, Any], str
]  # a dict: the committed params with these values by dotted key; `...` takes one out
Files = dict[str | ZipInfo, bytes]

TABLE, PART = "HAM10000_metadata.csv", "HAM10000_images_part_1"
ONE = f"{PART}/ISIC_1.jpg"
HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
GOOD = "HAM_1,ISIC_1,nv,histo,45,male,back"
REAL: Files = {TABLE: f"{HEADER}\n{GOOD}\n".encode(), ONE: b"picture"}


def content_of(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
JPEG, PNG = content_of(NOISE, "JPEG"), content_of(NOISE, "PNG")


# How each fault is made --------------------------------------------------------------------------


def zipped(files: Files, method: int = ZIP_DEFLATED, edit: Callable[[ZipInfo], None] = lambda _: None) -> bytes:
    """A zip of `files`; `edit` changes what its directory says of ISIC_1, not what lies behind it."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in archive.filelist:
            if info.filename == ONE:
                edit(info)
    return buffer.getvalue()


def archive(content: bytes | None) -> Act:
    def act(folder: Path) -> None:
        if content is not None:
            (folder / "x.zip").write_bytes(content)
        unpack_beside(folder / "x.zip", folder)

    return act


def edited(**values: int) -> Act:
    return archive(zipped(REAL, edit=lambda info: [setattr(info, name, value) for name, value in values.items()]))


def folder_of(**files: bytes) -> Act:
    def act(folder: Path) -> None:
        place = folder / "x.zip"
        place.mkdir()
        for name, content in ({TABLE: REAL[TABLE]} | files).items():
            (place / name).write_bytes(content)
        unpack_beside(place, folder)

    return act


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "x.zip")
    unpack_beside(folder / "x.zip", folder)


def link_out(folder: Path) -> None:
    (folder / "x.zip" / PART).mkdir(parents=True)
    (folder / "x.zip" / TABLE).write_bytes(REAL[TABLE])
    (folder / "secret.txt").write_text("secret")
    (folder / "x.zip" / ONE).symlink_to("../../secret.txt")
    unpack_beside(folder / "x.zip", folder)


def unpack_beside(archive: Path, folder: Path) -> None:
    """Unpack; whatever comes of it, nothing else in the folder changes."""
    (folder / "target").mkdir()
    before = sorted(folder.iterdir())
    try:
        unpack(archive, folder / "target")
    finally:
        assert sorted(folder.iterdir()) == before


def link() -> ZipInfo:
    info = ZipInfo(ONE)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def many() -> bytes:
    """A zip of 600 images of a byte each, of which it says that each has 19 MB."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr(TABLE, REAL[TABLE])
        for number in range(600):
            archive.writestr(f"{PART}/ISIC_{number}.jpg", b"x")
            archive.filelist[-1].file_size = 19_000_000
    return buffer.getvalue()


def twice() -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        for name, content in [*REAL.items(), (ONE, b"other")]:
            archive.writestr(name, content)
    return buffer.getvalue()


def written(name: str, read: Callable[[Path], object]) -> Callable[[bytes | None], Act]:
    """`written("x.jpg", images.read)(content)`: write that file, unless the content is None, and read it."""

    def of(content: bytes | None) -> Act:
        def act(folder: Path) -> None:
            if content is not None:
                (folder / name).write_bytes(content)
            read(folder / name)

        return act

    return of


image = written("x.jpg", images.read)
table_of = written("x.csv", metadata.read)
params_of = written("x.yaml", params.load)


def scanned(times: int) -> bytes:
    """A progressive JPEG whose last scan comes again so many times; decoding takes as much longer."""
    buffer = io.BytesIO()
    NOISE.save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * times + content[-2:]


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and ends there."""
    start = PNG.index(b"IHDR") + 4
    size = width.to_bytes(4) + height.to_bytes(4)
    header = PNG[start - 4 : start] + size + PNG[start + 8 : start + 13]
    return PNG[: start - 4] + header + zipfile.crc32(header).to_bytes(4) + PNG[start + 17 :]


def table(*lines: str, header: str = HEADER) -> Act:
    return table_of("\n".join([header, GOOD, *lines]).encode())


def raw(rows: list[str], files: dict[str, bytes], **data: Any) -> Act:
    """data/raw as merge reads it."""

    def act(folder: Path) -> None:
        (folder / "raw" / PART).mkdir(parents=True)
        (folder / "merged").mkdir()
        (folder / "raw" / TABLE).write_text("\n".join([HEADER, *rows]))
        for name, content in files.items():
            (folder / "raw" / PART / name).write_bytes(content)
        settings = params.load(ROOT / "params.yaml")
        values = settings.data.model_copy(update={"duplicates": None} | data)
        merge(folder / "raw", folder / "merged", values, settings.images)

    return act


def model(spoil: Callable[[Path], object], image: tuple = (8, 8, 3), outputs: int = 7, last: Any = None) -> Act:
    """A small model file, spoilt after it was saved."""

    def act(folder: Path) -> None:
        path = folder / "x.keras"
        pixels = keras.Input(image)
        output = (last or keras.layers.Dense(outputs, activation="softmax"))(keras.layers.Flatten()(pixels))
        even = np.full(7, 1 / 7)
        bundle.save(keras.Model(pixels, output), Calibration(1.5, even, even), "crop", path)
        spoil(path)
        bundle.load(path)

    return act


def members(change: Callable[[dict[str, bytes]], dict[str, bytes]], method: int = zipfile.ZIP_STORED) -> Act:
    def spoil(path: Path) -> None:
        with ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        path.write_bytes(zipped(change(contents), method))

    return model(spoil)


def ours(content: dict) -> Act:
    return members(lambda contents: contents | {bundle.OURS: json.dumps(content).encode()})


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda contents: {other: contents[other] for other in contents if other != name}


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_h5(path: Path) -> None:
    with ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    path.write_bytes(weights)


# The faults --------------------------------------------------------------------------------------

ARCHIVES: dict[str, Row] = {
    "an archive that is missing": (
        archive(None),
        "The archive must be a zip or a folder. Received: {path}, which does not exist. Correct data.archive "
        "in params.yaml, or set data.source: sample",
    ),
    "an empty file for an archive": (
        archive(b""),
        "The archive must be a zip or a folder. Received: {path}, which is neither. Fetch it again, or "
        "unpack it and give the folder as data.archive",
    ),
    "a web page for an archive": (
        archive(b"<html>403 Forbidden</html>"),
        "The archive must be a zip or a folder. Received: {path}, which is neither. Fetch it again, or "
        "unpack it and give the folder as data.archive",
    ),
    "a pipe for an archive": (
        pipe,
        "The archive must be a zip or a folder. Received: {path}, which is a device or a pipe. Correct "
        "data.archive in params.yaml",
    ),
    "a zip cut short": (
        archive(zipped(REAL)[:-30]),
        "Cannot read {path}: File is not a zip file. The zip is damaged: fetch it again",
    ),
    "a zip of nothing": (
        archive(zipped({})),
        "The archive must hold HAM10000_metadata.csv. Received: {path}, with nothing in it. Put it beside "
        "the images, give their folder as data.archive (of Dataverse: both part zips, and the metadata with "
        "?format=original)",
    ),
    "no metadata": (
        archive(zipped({ONE: b"picture"})),
        "The archive must hold HAM10000_metadata.csv. Received: {path}, with images only. Put it beside the "
        "images, give their folder as data.archive (of Dataverse: both part zips, and the metadata with "
        "?format=original)",
    ),
    "metadata as Dataverse re-quotes it": (
        archive(zipped({ONE: b"picture", "HAM10000_metadata.tab": b""})),
        "The archive must hold HAM10000_metadata.csv. Received: {path}, with HAM10000_metadata.tab. Put it "
        "beside the images, give their folder as data.archive (of Dataverse: both part zips, and the "
        "metadata with ?format=original)",
    ),
    "two metadata files": (
        archive(zipped(REAL | {f"old/{TABLE}": b"other"})),
        "The archive must hold one metadata file. Received: HAM10000_metadata.csv and "
        "old/HAM10000_metadata.csv in {path}, which differ. Remove the wrong one",
    ),
    "no images": (
        archive(zipped({TABLE: b"", "readme.txt": b""})),
        "The archive must hold images (.jpg). Received: {path}, with HAM10000_metadata.csv, readme.txt. "
        "Where zips inside it hold them, unpack it and give the folder as data.archive",
    ),
    "zips in a zip": (
        archive(zipped({TABLE: b"", f"{PART}.zip": zipped({"ISIC_1.jpg": b"picture"})})),
        "The archive must hold images (.jpg). Received: {path}, with HAM10000_images_part_1.zip, "
        "HAM10000_metadata.csv. Where zips inside it hold them, unpack it and give the folder as data.archive",
    ),
    "copies of an image that differ": (
        archive(zipped(REAL | {f"copy/{ONE}": b"other"})),
        "Copies of one image must be equal. Received: HAM10000_images_part_1/ISIC_1.jpg and "
        "copy/HAM10000_images_part_1/ISIC_1.jpg in {path}, which differ. Remove the wrong one",
    ),
    "one name twice in a zip": (
        archive(twice()),
        "Copies of one image must be equal. Received: HAM10000_images_part_1/ISIC_1.jpg and "
        "HAM10000_images_part_1/ISIC_1.jpg in {path}, which differ. Remove the wrong one",
    ),
    "an image with an odd id": (
        archive(zipped(REAL | {f"{PART}/ISIC_1 (1).jpg": b""})),
        "An image is named by its id: up to 100 letters, digits, _ and -. Received: "
        "HAM10000_images_part_1/ISIC_1 (1).jpg in {path}. Rename or remove them",
    ),
    "ids that differ in capitals": (
        archive(zipped(REAL | {f"{PART}/isic_1.jpg": b""})),
        "Images' ids must differ in more than capitals. Received: ISIC_1 and isic_1 in {path}. Rename or remove one",
    ),
    "an id that is too long": (
        archive(zipped(REAL | {f"{PART}/{'I' * 300}.jpg": b""})),
        "An image is named by its id: up to 100 letters, digits, _ and -. Received: "
        "HAM10000_images_part_1/IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII"
        "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII"
        "... in {path}. Rename or remove them",
    ),
    "an id that commands a terminal": (
        archive(zipped(REAL | {f"{PART}/\x1b[2J.jpg": b""})),
        "An image is named by its id: up to 100 letters, digits, _ and -. Received: "
        "HAM10000_images_part_1/\\x1b[2J.jpg in {path}. Rename or remove them",
    ),
    "an encrypted image": (
        edited(flag_bits=1),
        "HAM10000's zips hold plain files of at most 20 MB, stored or deflated, with no password. Received: "
        "{path}, whose HAM10000_images_part_1/ISIC_1.jpg is encrypted. Decrypt it, or fetch the archive again",
    ),
    "a link in a zip": (
        archive(zipped({TABLE: b"", link(): b"/etc/passwd"})),
        "HAM10000's zips hold plain files of at most 20 MB, stored or deflated, with no password. Received: "
        "{path}, whose HAM10000_images_part_1/ISIC_1.jpg is a link or a device. Pack the file itself",
    ),
    "a device in a zip": (
        edited(external_attr=stat.S_IFCHR << 16, create_system=3),
        "HAM10000's zips hold plain files of at most 20 MB, stored or deflated, with no password. Received: "
        "{path}, whose HAM10000_images_part_1/ISIC_1.jpg is a link or a device. Pack the file itself",
    ),
    "a method that is not read": (
        archive(zipped(REAL, ZIP_BZIP2)),
        "HAM10000's zips hold plain files of at most 20 MB, stored or deflated, with no password. Received: "
        "{path}, whose HAM10000_metadata.csv is packed by method 12. Unpack the zip and give the folder as "
        "data.archive",
    ),
    "an image that unpacks to 30 MB": (
        archive(zipped(REAL | {ONE: bytes(30_000_000)})),
        "HAM10000's zips hold plain files of at most 20 MB, stored or deflated, with no password. Received: "
        "{path}, whose HAM10000_images_part_1/ISIC_1.jpg has 30 MB. Unpack the zip, look at that file, and "
        "give the folder as data.archive",
    ),
    "images that unpack to 11 GB": (
        archive(many()),
        "HAM10000 unpacked has at most 10 GB. Received: {path}, with 11 GB in 601 files. Give an archive of "
        "HAM10000 alone",
    ),
    "files of a zip that overlap": (
        edited(header_offset=0),
        "The files of a zip lie one behind the other. Received: {path}, whose HAM10000_metadata.csv and "
        "HAM10000_images_part_1/ISIC_1.jpg overlap. The zip is damaged: fetch it again",
    ),
    "an image with a wrong checksum": (
        edited(CRC=1),
        "Cannot read HAM10000_images_part_1/ISIC_1.jpg in {path}: Bad CRC-32 for file "
        "'HAM10000_images_part_1/ISIC_1.jpg'. The zip is damaged: fetch it again",
    ),
    "an image that is larger than said": (
        edited(file_size=3),
        "Cannot read HAM10000_images_part_1/ISIC_1.jpg in {path}: Bad CRC-32 for file "
        "'HAM10000_images_part_1/ISIC_1.jpg'. The zip is damaged: fetch it again",
    ),
    "an image that is not where the zip says": (
        edited(header_offset=10**6),
        "Cannot read HAM10000_images_part_1/ISIC_1.jpg in {path}: Truncated file header. The zip is damaged: "
        "fetch it again",
    ),
    "a name that is no UTF-8": (
        archive(zipped(REAL | {"Ü.txt": b""}).replace("Ü".encode(), b"\xff\xff")),
        "Cannot read {path}: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte. The zip "
        "is damaged: fetch it again",
    ),
    "a part zip that is none": (
        folder_of(**{f"{PART}.zip": b"PK half"}),
        "Cannot read {path}/HAM10000_images_part_1.zip: File is not a zip file. The zip is damaged: fetch it again",
    ),
    "a link out of a folder": (
        link_out,
        "A link must not leave the archive folder. Received: {path}/HAM10000_images_part_1/ISIC_1.jpg, a link to "
        "{folder}/secret.txt. Replace it by the file or folder itself, or remove it",
    ),
    "a file of 30 MB in a folder": (
        folder_of(**{"ISIC_1.jpg": bytes(30_000_000)}),
        "A file of HAM10000 has at most 20 MB. Received: {path}/ISIC_1.jpg, which has 30 MB. Remove or replace it",
    ),
}

IMAGES: dict[str, Row] = {
    "an empty image": (
        image(b""),
        "{path} (not a picture)",
    ),
    "text for an image": (
        image(b"<html>not found</html>"),
        "{path} (not a picture)",
    ),
    "a program for an image": (
        image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "{path} (not a picture)",
    ),
    "a JPEG cut short": (
        image(JPEG[:700]),
        "{path} (image file is truncated (77 bytes not processed))",
    ),
    "a PNG cut short": (
        image(PNG[:2000]),
        "{path} (image file is truncated)",
    ),
    "a JPEG of very many scans": (
        image(scanned(101)),
        "{path} (111 scans, more than 100)",
    ),
    "56 million pixels": (
        image(png_of(8000, 7000)),
        "{path} (8000 x 7000 pixels, more than 50 million)",
    ),
    "400 million pixels": (
        image(png_of(20_000, 20_000)),
        "{path} (more than 50 million pixels)",
    ),
    "32-bit grey": (
        image(content_of(Image.new("I", (8, 8)), "TIFF")),
        "{path} (32-bit grey values, of which the range is not known)",
    ),
    "grey in floats": (
        image(content_of(Image.new("F", (8, 8)), "TIFF")),
        "{path} (32-bit grey values, of which the range is not known)",
    ),
}

METADATA: dict[str, Row] = {
    "metadata that are missing": (
        table_of(None),
        "{path} is missing: the archive's metadata CSV belongs there (dvc repro -f download)",
    ),
    "empty metadata": (
        table_of(b"\n\n"),
        "{path} cannot be used: it is empty. Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "a header without rows": (
        table_of(HEADER.encode()),
        "{path} cannot be used: it has a header and no rows. Correct that in the archive itself, then run: "
        "dvc repro -f download",
    ),
    "a picture for metadata": (
        table_of(JPEG),
        "{path} cannot be used: it is no text in UTF-8 or UTF-16. Correct that in the archive itself, then "
        "run: dvc repro -f download",
    ),
    "UTF-16 without its mark": (
        table_of(HEADER.encode("utf-16-le")),
        "{path} cannot be used: it is no text in UTF-8 or UTF-16. Correct that in the archive itself, then "
        "run: dvc repro -f download",
    ),
    "UTF-16 cut short": (
        table_of(HEADER.encode("utf-16")[:-1]),
        "{path} cannot be used: it is no text in UTF-16: truncated data at byte 100. Correct that in the "
        "archive itself, then run: dvc repro -f download",
    ),
    "a column that is missing": (
        table(header=HEADER.replace("dx_type", "type")),
        "{path} cannot be used: it must have each of the columns lesion_id, image_id, dx, dx_type, age, sex, "
        "localization once. Not so: dx_type. Found: lesion_id, image_id, dx, type, age, sex, localization. "
        "Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "a column that is there twice": (
        table(header=f"{HEADER},Age"),
        "{path} cannot be used: it must have each of the columns lesion_id, image_id, dx, dx_type, age, sex, "
        "localization once. Not so: age. Found: lesion_id, image_id, dx, dx_type, age, sex, localization, "
        "age. Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "another separator": (
        table(header=HEADER.replace(",", "|")),
        "{path} cannot be used: it must have each of the columns lesion_id, image_id, dx, dx_type, age, sex, "
        "localization once. Not so: lesion_id, image_id, dx, dx_type, age, sex, localization. Found: "
        "lesion_id|image_id|dx|dx_type|age|sex|localization. Correct that in the archive itself, then run: "
        "dvc repro -f download",
    ),
    "a row too short": (
        table("HAM_2,ISIC_2,mel"),
        "{path} cannot be used: line 3 has 3 cells, the header has 7. Correct that in the archive itself, "
        "then run: dvc repro -f download",
    ),
    "a row too long": (
        table(f"{GOOD},more"),
        "{path} cannot be used: line 3 has 8 cells, the header has 7. Correct that in the archive itself, "
        "then run: dvc repro -f download",
    ),
    "a quote that is not closed": (
        table('HAM_2,ISIC_2,mel,"histo,45,male,back'),
        "{path} cannot be used: the quotes of the row that begins in line 3 do not pair, or a cell is too long. "
        "Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "Latin-1": (
        table_of(f"{HEADER}\n{GOOD}\nHAM_2,ISIC_2,mel,histo,45,male,Rücken".encode("latin-1")),
        "{path}: localization must be printable text in UTF-8. Received: 'R\\udcfccken' in line 3 (ISIC_2). Correct "
        "that in the archive itself, then run: dvc repro -f download",
    ),
    "a NUL": (
        table("HAM_2,ISIC_2,mel,histo,45,ma\0le,back"),
        "{path}: sex must be printable text in UTF-8. Received: 'ma\\x00le' in line 3 (ISIC_2). Correct that in the "
        "archive itself, then run: dvc repro -f download",
    ),
    "a blank image_id": (
        table("HAM_2, ,mel,histo,45,male,back"),
        "{path}: image_id must be the image's name, up to 100 letters, digits, _ and -. Received: '' in line "
        "3. Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "an image_id that leads elsewhere": (
        table("HAM_2,../../x,mel,histo,45,male,back"),
        "{path}: image_id must be the image's name, up to 100 letters, digits, _ and -. Received: '../../x' "
        "in line 3. Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "a blank lesion_id": (
        table(",ISIC_2,mel,histo,45,male,back"),
        "{path}: lesion_id must be filled in. Received: '' in line 3 (ISIC_2). Correct that in the archive "
        "itself, then run: dvc repro -f download",
    ),
    "an unknown dx": (
        table("HAM_2,ISIC_2,scc,histo,45,male,back"),
        "{path}: dx must be one of akiec, bcc, bkl, df, mel, nv, vasc. Received: 'scc' in line 3 (ISIC_2). "
        "Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "an age in words": (
        table("HAM_2,ISIC_2,mel,histo,45 years,male,back"),
        "{path}: age must be a number of years from 0 to 120, or blank where it is not known. Received: '45 "
        "years' in line 3 (ISIC_2). Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "ages that are none": (
        table(*(f"HAM_2,ISIC_{age},mel,histo,{age},male,back" for age in ("nan", "inf", "-5", "1e9"))),
        "{path}: age must be a number of years from 0 to 120, or blank where it is not known. Received: "
        "'nan' in line 3 (ISIC_nan), 'inf' in line 4 (ISIC_inf), '-5' in line 5 (ISIC_-5), '1e9' in line 6 "
        "(ISIC_1e9). Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "rows of one image that differ": (
        table("HAM_2,ISIC_1,mel,histo,45,male,back"),
        "{path}: rows of one image_id must agree. Received: ISIC_1, whose lines 2 and 3 differ in lesion_id, "
        "dx. Correct that in the archive itself, then run: dvc repro -f download",
    ),
    "a wrong line after cells of two lines": (
        table('HAM_2,ISIC_2,mel,histo,45,male,"lower', 'leg"', "", "HAM_3,ISIC_3,x,histo,45,male,back"),
        "{path}: dx must be one of akiec, bcc, bkl, df, mel, nv, vasc. Received: 'x' in line 6 (ISIC_3). "
        "Correct that in the archive itself, then run: dvc repro -f download",
    ),
}

MERGED: dict[str, Row] = {
    "a row without its image": (
        raw([GOOD], {}),
        "1 rows of the metadata have no image: ISIC_1. Is a part folder missing? Correct that in the archive "
        "itself, then run: dvc repro -f download",
    ),
    "an image without its row": (
        raw([GOOD], {"ISIC_1.jpg": JPEG, "ISIC_2.jpg": JPEG}),
        "1 images have no row in the metadata: {path}/HAM10000_images_part_1/ISIC_2.jpg. Correct that in the "
        "archive itself, then run: dvc repro -f download",
    ),
    "damaged images": (
        raw([GOOD], {"ISIC_1.jpg": b""}),
        "1 images are damaged: {path}/HAM10000_images_part_1/ISIC_1.jpg (not a picture). Correct that in "
        "the archive itself, then run: dvc repro -f download; or leave them out with data.on_bad_image: skip",
    ),
    "no image that is whole": (
        raw([GOOD], {"ISIC_1.jpg": b""}, on_bad_image="skip"),
        "every image of {path} is damaged. Bring the archive again: dvc repro -f download",
    ),
    "one class alone": (
        raw([GOOD], {"ISIC_1.jpg": JPEG}),
        "there is nothing to tell apart: every image is nv. Bring more classes",
    ),
}

PARAMS: dict[str, Row] = {
    "no params": (
        params_of(None),
        "{path} is missing: run from the repository's root (git checkout {path})",
    ),
    "params that are no YAML": (
        params_of(b"seed: [1"),
        '{path} is not valid YAML: while parsing a flow sequence\n  in "<unicode string>", line 1, column 7:\n '
        "   seed: [1\n          ^\nexpected ',' or ']', but got '<stream end>'\n  in \"<unicode string>\", line "
        "1, column 9:\n    seed: [1\n            ^",
    ),
    "params that are a list": (
        params_of(b"[1, 2]"),
        "{path} cannot be used:\n  the file: must be a section with keys. Received: [1, 2]",
    ),
    "a mistyped key": (
        {"train.batchsize": 32},
        "{path} cannot be used:\n  train.batchsize: unknown key. Did you mean 'batch_size'?",
    ),
    "a mistyped section": (
        {"trian": {}},
        "{path} cannot be used:\n  trian: unknown key. Did you mean 'train'?",
    ),
    "a key that is missing": (
        {"split.protocol": ...},
        "{path} cannot be used:\n  split.protocol: missing key",
    ),
    "text for a number": (
        {"train.batch_size": "many"},
        "{path} cannot be used:\n  train.batch_size: Input should be a valid integer, unable to parse string "
        "as an integer. Received: 'many'",
    ),
    "half an image": (
        {"balance.per_class": 2.5},
        "{path} cannot be used:\n  balance.per_class: Input should be a valid integer, got a number with a "
        "fractional part. Received: 2.5",
    ),
    "a number out of range": (
        {"images.size": 8},
        "{path} cannot be used:\n  images.size: Input should be greater than or equal to 16. Received: 8",
    ),
    "no number": (
        {"train.label_smoothing": float("nan")},
        "{path} cannot be used:\n  train.label_smoothing: Input should be less than or equal to 0.9. Received: nan",
    ),
    "a value that is none of the choices": (
        {"images.fit": "pad"},
        "{path} cannot be used:\n  images.fit: Input should be 'stretch' or 'crop'. Received: 'pad'",
    ),
    "a section that is a number": (
        {"split": 3},
        "{path} cannot be used:\n  split: must be a section with keys. Received: 3",
    ),
    "a split that does not sum to 1": (
        {"split.train": 0.9},
        "{path} cannot be used:\n  split: train, validation and test must sum to 1. Received: 1.2",
    ),
    "a split without a test": (
        {"split.train": 0.85, "split.test": 0},
        "{path} cannot be used:\n  split: train, validation and test must each be above 0",
    ),
    "an archive without its path": (
        {"data.source": "archive", "data.archive": None},
        "{path} cannot be used:\n  data: source: archive needs data.archive, the path of a zip or folder",
    ),
    "duplicates elsewhere": (
        {"data.duplicates": "/etc/passwd"},
        "{path} cannot be used:\n  data: duplicates must be a file of presets/duplicates/, so that DVC sees it change",
    ),
    "a mistyped backbone": (
        {"model.backbone": "resnet5"},
        "{path} cannot be used:\n  model.backbone: no row of backbones is named 'resnet5'. Did you mean 'resnet50'?",
    ),
    "images too small for the backbone": (
        {"model.backbone": "inception_resnet_v2", "images.size": 64},
        "{path} cannot be used:\n  images.size: inception_resnet_v2 needs at least 75 px. Received: 64",
    ),
    "images that make no patches": (
        {"model.backbone": "dinov2_small"},
        "{path} cannot be used:\n  images.size: dinov2_small cuts images into patches of 14 px, so it needs a "
        "multiple of 14, as 70 or 84. Received: 80",
    ),
    "two that set the learning rate": (
        {"train.schedule": "cosine", "train.reduce_learning_rate": {"patience": 3, "factor": 0.3}},
        "{path} cannot be used:\n  train: schedule: cosine sets the learning rate of every epoch, so it and "
        "reduce_learning_rate exclude each other: set reduce_learning_rate: null, or schedule: constant",
    ),
    "weight decay without its optimizer": (
        {"train.weight_decay": 0.1},
        "{path} cannot be used:\n  train: weight_decay belongs to optimizer: adamw. Received: weight_decay "
        "0.1 with adam; set optimizer: adamw, or weight_decay: 0",
    ),
    "a head of two keys": (
        {"heads.gap": [{"dropout": 0.3, "dense": 5}]},
        "{folder}/networks.yaml cannot be used:\n  heads.gap.0: a layer of a head has exactly one key, as in "
        "{dropout: 0.3}",
    ),
    "a constructor from elsewhere": (
        {"backbones.resnet50.constructor": "os.system"},
        "{folder}/networks.yaml cannot be used:\n  backbones.resnet50.constructor: String should match pattern "
        "'^(keras\\.applications|keras_hub\\.models)\\.\\w+$'. Received: 'os.system'",
    ),
}

MODELS: dict[str, Row] = {
    "a model that is missing": (
        model(Path.unlink),
        "{path} is missing: train a model first (dvc repro train)",
    ),
    "text for a model": (
        model(lambda path: path.write_text("# my model")),
        "{path} is no model of this pipeline: it is no .keras file, or not a whole one. Give a .keras file "
        "that it trained (dvc repro train makes one)",
    ),
    "a folder for a model": (
        model(to_folder),
        "{path} is no model of this pipeline: it is no .keras file, or not a whole one. Give a .keras file "
        "that it trained (dvc repro train makes one)",
    ),
    "an .h5 renamed": (
        model(to_h5),
        "{path} is no model of this pipeline: it is no .keras file, or not a whole one. Give a .keras file "
        "that it trained (dvc repro train makes one)",
    ),
    "a model cut short": (
        model(lambda path: path.write_bytes(path.read_bytes()[:-99])),
        "{path} is no model of this pipeline: it is no .keras file, or not a whole one. Give a .keras file "
        "that it trained (dvc repro train makes one)",
    ),
    "a zip that is no model": (
        members(lambda _: {"readme.txt": b""}),
        "{path} is no model of this pipeline: it lacks config.json, metadata.json, model.weights.h5, "
        "skinlesion.json. Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model without weights": (
        members(without("model.weights.h5")),
        "{path} is no model of this pipeline: it lacks model.weights.h5. Give a .keras file that it trained "
        "(dvc repro train makes one)",
    ),
    "a model of plain Keras": (
        members(without(bundle.OURS)),
        "{path} is no model of this pipeline: it lacks skinlesion.json. Give a .keras file that it trained "
        "(dvc repro train makes one)",
    ),
    "a model with more in it": (
        members(lambda contents: contents | {"assets/../../x": b""}),
        "{path} is no model of this pipeline: it also holds 'assets/../../x'. Give a .keras file that it "
        "trained (dvc repro train makes one)",
    ),
    "a model that unpacks to more": (
        members(lambda contents: contents | {"model.weights.h5": bytes(10**8)}, ZIP_DEFLATED),
        "{path} is no model of this pipeline: its members are compressed, or larger than the file. Give a "
        ".keras file that it trained (dvc repro train makes one)",
    ),
    "a model whose weights are none": (
        members(lambda contents: contents | {"model.weights.h5": b"text"}),
        "{path} is no model of this pipeline: Keras cannot load it safely (Unable to synchronously open file "
        "(file signature not found)). Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model whose layers are none": (
        members(lambda contents: contents | {"config.json": b"{}"}),
        "{path} is no model of this pipeline: Keras cannot load it safely (Expected object to be an instance "
        "of `KerasSaveable`, but got {'compile_config': None} of type <class 'dict'>). Give a .keras file "
        "that it trained (dvc repro train makes one)",
    ),
    "a model of other classes": (
        ours({"classes": ["cat", "dog"]}),
        "{path} is no model of this pipeline: its classes are cat, dog, not akiec, bcc, bkl, df, mel, nv, "
        "vasc. Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model that does not say how it fits": (
        ours({"classes": CODES}),
        "{path} is no model of this pipeline: its skinlesion.json has no fit. Give a .keras file that it "
        "trained (dvc repro train makes one)",
    ),
    "a model fitted in another way": (
        ours({"classes": CODES, "fit": "pad"}),
        "{path} is no model of this pipeline: its images are to be fitted by 'pad', not by stretch or crop. "
        "Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model with three outputs": (
        model(lambda _: None, outputs=3),
        "{path} is no model of this pipeline: its input is (None, 8, 8, 3) and its output (None, 3), not (N, "
        "S, S, 3) and (N, 7). Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model of grey images": (
        model(lambda _: None, image=(8, 8, 1)),
        "{path} is no model of this pipeline: its input is (None, 8, 8, 1) and its output (None, 7), not (N, "
        "S, S, 3) and (N, 7). Give a .keras file that it trained (dvc repro train makes one)",
    ),
    "a model with code in it": (
        model(lambda _: None, last=keras.layers.Lambda(lambda x: x, output_shape=(192,))),
        "{path} is no model of this pipeline: Keras cannot load it safely (Requested the deserialization of "
        "a `Lambda` layer whose `function` is a Python lambda). Give a .keras file that it trained (dvc "
        "repro train makes one)",
    ),
}


PLACES = [
    (ARCHIVES, "x.zip"),
    (IMAGES, "x.jpg"),
    (METADATA, "x.csv"),
    (MERGED, "raw"),
    (PARAMS, "x.yaml"),
    (MODELS, "x.keras"),
]
ROWS = [pytest.param(*row, place, id=fault) for rows, place in PLACES for fault, row in rows.items()]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("fault", "message", "place"), ROWS)
def test_bad_input_gets_its_message(
    fault: Act | dict[str, Any], message: str, place: str, tmp_path: Path, write_params: Callable
) -> None:
    with pytest.raises(UserError) as caught:
        if isinstance(fault, dict):
            params.load(write_params(tmp_path / place, fault))
        else:
            fault(tmp_path)
    assert str(caught.value) == message.replace("{path}", str(tmp_path / place)).replace("{folder}", str(tmp_path))
