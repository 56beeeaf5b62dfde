"""Every layout in which HAM10000 is shared ends in the same files; an archive that is unfit is refused by name."""

import os
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_STORED

import pytest

from skinlesion.download import archive as archive_module
from skinlesion.download.archive import unpack
from skinlesion.runtime import archives
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import CSV, LAYOUT, PART, TABLE, read_tree, write_archive, zip_of

LOWER = "ham10000_images_part_"
OTHER = b"another image"
IMAGES = {Path(name).name: content for name, content in LAYOUT.items() if name != TABLE}
FLAT = IMAGES | {TABLE: CSV}
ALL_IN_PART_1 = {f"{PART}1/{name}": content for name, content in IMAGES.items()} | {TABLE: CSV}


def renamed(old: str, new: str) -> dict[str, bytes]:
    return {name.replace(old, new): content for name, content in LAYOUT.items()}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "target"
    path.mkdir(parents=True)
    return path


LAYOUTS = {
    "as published": (LAYOUT, LAYOUT),
    "Kaggle, everything twice": (LAYOUT | renamed(PART, LOWER) | {"hmnist_28_28_L.csv": b"0,1\n"}, LAYOUT),
    "below two folders": ({f"a b/c/{name}": LAYOUT[name] for name in LAYOUT}, LAYOUT),
    "doubled part folder": (renamed(f"{PART}1/", f"{PART}2/{PART}1/"), LAYOUT),
    "metadata twice, without suffix": (renamed(".csv", "") | {f"copy/{TABLE.lower()}": CSV}, LAYOUT),
    "other suffixes": (renamed("1.jpg", "1.JPG") | {f"{PART}2/ISIC_3.jpeg": b"image 3"}, LAYOUT),
    "flat in a folder": ({f"images/{name}": FLAT[name] for name in FLAT}, ALL_IN_PART_1),
    "an image in both parts": (LAYOUT | {f"{PART}2/ISIC_1.jpg": b"image 1"}, LAYOUT),
    "other files": (
        LAYOUT
        | {
            f"__MACOSX/{PART}1/._ISIC_1.jpg": OTHER,
            f"__MACOSX/._{TABLE}": b"",
            "masks/ISIC_1_segmentation.png": b"png",
            "ISIC2018_Task3_Test_Images/ISIC_9.jpg": OTHER,
            f"{PART}1/ISIC_1 (1).jpg": OTHER,
            f"{PART}1/ISIC_٣.jpg": OTHER,
        },
        LAYOUT,
    ),
}


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize(("files", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(files: dict, expected: dict, kind: str, tmp_path: Path, target: Path) -> None:
    archive = write_archive(files, kind, tmp_path)
    before = read_tree(tmp_path)
    unpack(archive, target)
    assert read_tree(target) == expected
    assert read_tree(tmp_path) == before | {f"deep/target/{name}": content for name, content in expected.items()}


DATAVERSE = {
    f"{PART}1.zip": zip_of({"ISIC_1.jpg": b"image 1", "ISIC_2.jpg": b"image 2"}),
    f"{PART}2.zip": zip_of({"ISIC_3.jpg": b"image 3", "__MACOSX/._ISIC_3.jpg": OTHER}),
    "ISIC2018_Task3_Test_Images.zip": zip_of({"ISIC_9.jpg": OTHER}),
    f"._{PART}1.zip": b"of macOS",
    TABLE: CSV,
}


@pytest.mark.parametrize(
    "files",
    [
        {f"dataverse_files/{name}": content for name, content in DATAVERSE.items()},
        {name.replace(f"{PART}1.zip", f"{LOWER}1 (1).ZIP"): content for name, content in DATAVERSE.items()},
    ],
    ids=["below a folder", "renamed"],
)
def test_a_folder_with_part_zips(files: dict, tmp_path: Path, target: Path) -> None:
    unpack(write_archive(files, "folder", tmp_path), target)
    assert read_tree(target) == LAYOUT


BAD_ARCHIVES = {
    "images that differ": (LAYOUT | {f"{PART}2/ISIC_1.jpg": b"image ?"}, [f"{PART}1/ISIC_1.jpg", "the wrong one"]),
    "metadata that differ": (LAYOUT | {f"old/{TABLE}": CSV + b"more"}, [f"old/{TABLE}", "Remove the wrong one"]),
    "no metadata": (renamed(TABLE, "HAM10000_metadata.tab"), [TABLE, "HAM10000_metadata.tab", "original format"]),
    "no images": ({TABLE: CSV, "part_1.zip": zip_of(FLAT)}, ["ISIC_<digits>.jpg", "part_1.zip", "data.archive"]),
    "png images": (renamed(".jpg", ".png"), ["ISIC_<digits>.jpg", "data.archive"]),
    "nothing": ({"x": b""}, [TABLE, "data.archive"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize(("files", "words"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
def test_bad_archives_are_refused(files: dict, words: list[str], kind: str, tmp_path: Path, target: Path) -> None:
    archive = write_archive(files, kind, tmp_path)
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    assert [word for word in [str(archive), *words] if word not in str(caught.value)] == []
    assert read_tree(target) == {}


def edited(**values: int) -> bytes:
    """A zip whose directory says this about ISIC_2."""
    return zip_of(
        LAYOUT, edit=lambda info: "ISIC_2" in info.filename and [setattr(info, *item) for item in values.items()]
    )


BAD_ZIPS = {
    "missing": (None, ["does not exist"]),
    "empty": (b"", ["Download it again"]),
    "a web page": (b"<html>403</html>", ["Download it again"]),
    "cut": (zip_of(LAYOUT)[:-30], ["Download it again"]),
    "damaged image": (zip_of(LAYOUT, ZIP_STORED).replace(b"image 2", b"image ?"), ["ISIC_2.jpg", "Download it again"]),
    "damaged metadata": (zip_of(LAYOUT, ZIP_STORED).replace(CSV, CSV[::-1]), [TABLE, "Download it again"]),
    "an image outside of the zip": (edited(header_offset=10**6), ["ISIC_2.jpg", "Download it again"]),
    "encrypted": (edited(flag_bits=1), ["ISIC_2.jpg", "is encrypted", "data.archive"]),
    "unlimited compression": (zip_of(LAYOUT, ZIP_BZIP2), [TABLE, "stored or deflated", "data.archive"]),
    "a large image": (zip_of(LAYOUT | {f"{PART}2/ISIC_4.jpg": bytes(20_000_001)}), ["ISIC_4.jpg", "20 MB"]),
}


@pytest.mark.parametrize(("content", "words"), BAD_ZIPS.values(), ids=BAD_ZIPS)
def test_bad_zips_are_refused(content: bytes | None, words: list[str], tmp_path: Path, target: Path) -> None:
    archive = tmp_path / "archive.zip"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    assert [word for word in [str(archive), *words] if word not in str(caught.value)] == []


def test_a_bad_part_zip_is_named(tmp_path: Path, target: Path) -> None:
    archive = write_archive(DATAVERSE | {f"{PART}2.zip": b"PK half"}, "folder", tmp_path)
    with pytest.raises(UserError, match=f"{archive}/{PART}2.zip.*Download it again"):
        unpack(archive, target)


def test_no_more_than_the_limits_is_read(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits count the bytes that are read, whatever a zip says."""
    archive = write_archive(LAYOUT, "folder", tmp_path)
    with (archive / f"{PART}2" / "ISIC_3.jpg").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(UserError, match=r"ISIC_3\.jpg in .*20 MB"):
        unpack(archive, target)
    monkeypatch.setattr(archive_module, "MAX_TOTAL", sum(map(len, LAYOUT.values())) - 1)
    with pytest.raises(UserError, match=r"archive\.zip has more than"):
        unpack(write_archive(LAYOUT, "zip", tmp_path), target)
    monkeypatch.setattr(archive_module, "MAX_TOTAL", sum(map(len, LAYOUT.values())))
    unpack(tmp_path / "archive.zip", target)


@pytest.mark.parametrize("prefix", ["../../", "/", f"{PART}1/../../../", "..\\..\\", "C:\\", "./", "//host/share/"])
def test_nothing_is_written_outside_the_target(prefix: str, tmp_path: Path, target: Path) -> None:
    unpack(write_archive({f"{prefix}{name}": FLAT[name] for name in FLAT}, "zip", tmp_path), target)
    assert set(read_tree(tmp_path)) == {"archive.zip"} | {f"deep/target/{name}" for name in ALL_IN_PART_1}


def test_backslashes_separate_folders_and_folders_are_no_files(tmp_path: Path, target: Path) -> None:
    unpack(write_archive(renamed("/", "\\") | {"HAM10000_metadata/": b""}, "zip", tmp_path), target)
    assert read_tree(target) == LAYOUT


def test_links_within_the_folder_are_read_and_rings_end(tmp_path: Path, target: Path) -> None:
    archive = write_archive(LAYOUT, "folder", tmp_path)
    image = archive / f"{PART}1" / "ISIC_1.jpg"
    image.symlink_to(image.rename(archive / "elsewhere"))
    (archive / "broken.jpg").symlink_to("nowhere")
    (archive / "ring").symlink_to(archive)
    os.mkfifo(archive / f"{PART}1" / "ISIC_8.jpg")  # reading a pipe would wait for ever
    (tmp_path / "link").symlink_to(archive)
    unpack(tmp_path / "link", target)
    assert read_tree(target) == LAYOUT


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        (f"{PART}1/ISIC_9.jpg", "secret.jpg"),
        (f"{PART}1/ISIC_9.jpg", "archive_2/ISIC_9.jpg"),
        (TABLE, "secret.jpg"),
        ("more", "archive_2"),
        (f"{PART}2.zip", "part.zip"),
    ],
    ids=["an image", "beside, by a similar name", "the metadata", "a folder", "a part zip"],
)
def test_a_link_that_leads_out_is_refused_before_a_byte_is_copied(
    name: str, leads_to: str, tmp_path: Path, target: Path
) -> None:
    archive = write_archive({other: LAYOUT[other] for other in LAYOUT if other != name}, "folder", tmp_path)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "part.zip").write_bytes(zip_of({"ISIC_9.jpg": b"secret"}))
    (tmp_path / "archive_2").mkdir()
    (tmp_path / "archive_2" / "ISIC_9.jpg").write_bytes(b"secret")
    (archive / name).symlink_to(tmp_path / leads_to)
    with pytest.raises(UserError, match="Replace the link") as caught:
        unpack(archive, target)
    assert str(archive / name) in str(caught.value)
    assert read_tree(target) == {}


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise its images would be missing without a message."""

    def refuse(path: str | Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    archive = write_archive(LAYOUT, "folder", tmp_path)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match=str(archive)):
        unpack(archive, target)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    kind: str, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(LAYOUT, kind, tmp_path)

    def refuse(path: str | Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(*((archives, "ZipFile") if kind == "zip" else (Path, "open")), refuse)
    with pytest.raises(PermissionError, match=str(archive)):
        unpack(archive, target)


@pytest.mark.skipif("HAM10000_ARCHIVE" not in os.environ, reason="HAM10000_ARCHIVE names no HAM10000 archive")
def test_the_real_archive(target: Path) -> None:
    unpack(Path(os.environ["HAM10000_ARCHIVE"]), target)
    assert [len(list((target / f"{PART}{part}").iterdir())) for part in (1, 2)] == [5000, 5015]
    assert {path.name for path in target.iterdir()} == {f"{PART}1", f"{PART}2", TABLE}
