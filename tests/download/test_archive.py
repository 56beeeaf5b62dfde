"""Every layout in which people have HAM10000 ends in the same files; what is unfit is refused."""

import io
import os
import tracemalloc
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from PIL import Image

from skinlesion.download.archive import unpack
from skinlesion.download.entries import MOST_BYTES, FileEntry
from skinlesion.runtime.errors import UserError


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 90, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


ONE, TWO, THREE, OTHER = jpeg(10), jpeg(80), jpeg(160), jpeg(240)
CSV = b"lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\nHAM_1,ISIC_2,nv\nHAM_2,ISIC_3,mel\n"
UPPER, LOWER, TABLE = "HAM10000_images_part_", "ham10000_images_part_", "HAM10000_metadata.csv"
PLAIN = {
    f"{UPPER}1/ISIC_1.jpg": ONE,
    f"{UPPER}1/ISIC_2.jpg": TWO,
    f"{UPPER}2/ISIC_3.jpg": THREE,
    TABLE: CSV,
}
FLAT = {"ISIC_1.jpg": ONE, "ISIC_2.jpg": TWO, "ISIC_3.jpg": THREE, TABLE: CSV}
ALL_IN_PART_1 = {
    TABLE: CSV,
    f"{UPPER}1/ISIC_1.jpg": ONE,
    f"{UPPER}1/ISIC_2.jpg": TWO,
    f"{UPPER}1/ISIC_3.jpg": THREE,
}


def without(files: dict[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in names}


def zip_bytes(files: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write(files: dict[str, bytes], kind: str, place: Path) -> Path:
    """Write `files` as a zip or a folder in `place`."""
    if kind == "zip":
        path = place / "archive.zip"
        path.write_bytes(zip_bytes(files))
        return path
    for name, content in files.items():
        path = place / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place / "archive"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "target"
    path.mkdir(parents=True)
    return path


LAYOUTS = {
    "plain": (PLAIN, PLAIN),
    "lower case": ({name.replace(UPPER, LOWER): PLAIN[name] for name in PLAIN}, PLAIN),
    "Kaggle, everything twice": (
        PLAIN | {name.replace(UPPER, LOWER): PLAIN[name] for name in PLAIN} | {"hmnist_28_28_L.csv": b"0,1\n"},
        PLAIN,
    ),
    "under a top folder": ({f"skin-cancer/{name}": PLAIN[name] for name in PLAIN}, PLAIN),
    "under two": ({f"a b/c/{name}": PLAIN[name] for name in PLAIN}, PLAIN),
    "doubled part folder": (
        {name.replace(f"{UPPER}1/", f"{UPPER}1/{UPPER}1/"): PLAIN[name] for name in PLAIN},
        PLAIN,
    ),
    "metadata twice, the same": (PLAIN | {f"copy/{TABLE}": CSV}, PLAIN),
    "metadata without suffix": (without(PLAIN, TABLE) | {"HAM10000_metadata": CSV}, PLAIN),
    "other suffixes": (
        without(PLAIN, f"{UPPER}1/ISIC_1.jpg", f"{UPPER}2/ISIC_3.jpg")
        | {f"{UPPER}1/ISIC_1.JPG": ONE, f"{UPPER}2/ISIC_3.jpeg": THREE},
        PLAIN,
    ),
    "flat": (FLAT, ALL_IN_PART_1),
    "flat in a folder": ({f"images/{name}": FLAT[name] for name in FLAT}, ALL_IN_PART_1),
    "one image in both parts": (PLAIN | {f"{UPPER}2/ISIC_1.jpg": ONE}, PLAIN),
    "litter": (
        PLAIN
        | {
            f"__MACOSX/{UPPER}1/ISIC_1.jpg": OTHER,
            f"__MACOSX/{TABLE}": b"",
            f"{UPPER}1/._ISIC_1.jpg": OTHER,
            f"{UPPER}1/.DS_Store": b"",
            f".trash/{UPPER}1/ISIC_2.jpg": OTHER,
        },
        PLAIN,
    ),
    "masks, readme, test images": (
        PLAIN
        | {
            "masks/ISIC_1_segmentation.png": b"png",
            "README.txt": b"text",
            "ISIC2018_Task3_Test_Images/ISIC_9.jpg": OTHER,
            "thumbnail of it.jpg": OTHER,
        },
        PLAIN,
    ),
}


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str, kind: str, tmp_path: Path, target: Path) -> None:
    files, expected = LAYOUTS[name]
    archive = write(files, kind, tmp_path)
    before = tree(tmp_path)
    unpack(archive, target)
    assert tree(target) == expected
    after = tree(tmp_path)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {f"deep/target/{path}" for path in expected}


DATAVERSE = {
    f"{UPPER}1.zip": zip_bytes({"ISIC_1.jpg": ONE, "ISIC_2.jpg": TWO}),
    f"{UPPER}2.zip": zip_bytes({"ISIC_3.jpg": THREE, "__MACOSX/._ISIC_3.jpg": OTHER}),
    "ISIC2018_Task3_Test_Images.zip": zip_bytes({"ISIC_9.jpg": OTHER}),
    TABLE: CSV,
}


@pytest.mark.parametrize(
    "files",
    [
        DATAVERSE,
        {f"dataverse_files/{name}": DATAVERSE[name] for name in DATAVERSE},
        {name.replace(f"{UPPER}1.zip", f"{LOWER}1 (1).ZIP"): DATAVERSE[name] for name in DATAVERSE},
        DATAVERSE | {f"{UPPER}1/ISIC_1.jpg": ONE},
        DATAVERSE | {"HAM10000_metadata.tab": b"image_id\tdx\n", f".{UPPER}1.zip": b"PK half"},
    ],
    ids=["as fetched", "top folder", "renamed", "one image unpacked too", "tab and litter too"],
)
def test_dataverse_folder(files: dict[str, bytes], tmp_path: Path, target: Path) -> None:
    unpack(write(files, "folder", tmp_path), target)
    assert tree(target) == PLAIN


REFUSED = {
    "differing copies": (
        PLAIN | {f"copy/{UPPER}1/ISIC_1.jpg": OTHER},
        [f"{UPPER}1/ISIC_1.jpg", f"copy/{UPPER}1/ISIC_1.jpg", "differ"],
    ),
    "differing copies in two parts": (
        PLAIN | {f"{UPPER}2/ISIC_1.jpeg": OTHER},
        [f"{UPPER}1/ISIC_1.jpg", f"{UPPER}2/ISIC_1.jpeg", "differ"],
    ),
    "copies of one size": (
        PLAIN | {f"copy/{UPPER}1/ISIC_1.jpg": ONE[:-3] + bytes(3)},
        [f"{UPPER}1/ISIC_1.jpg", f"copy/{UPPER}1/ISIC_1.jpg", "differ"],
    ),
    "two metadata files": (
        PLAIN | {f"old/{TABLE}": CSV + b"more"},
        ["one metadata file", TABLE, f"old/{TABLE}", "differ"],
    ),
    "no metadata": (without(PLAIN, TABLE), ["must hold HAM10000_metadata.csv", "images only"]),
    "metadata as tab": (
        without(PLAIN, TABLE) | {"HAM10000_metadata.tab": CSV},
        ["must hold HAM10000_metadata.csv", "with HAM10000_metadata.tab", "?format=original"],
    ),
    "no images": ({TABLE: CSV, "notes.txt": b""}, ["must hold images", f"{TABLE}, notes.txt"]),
    "png images": ({TABLE: CSV, f"{UPPER}1/ISIC_1.png": b"x"}, ["must hold images"]),
    "odd id": (
        PLAIN | {f"{UPPER}1/ISIC_1 (1).jpg": ONE},
        ["named by its id", f"{UPPER}1/ISIC_1 (1).jpg", "Rename or remove"],
    ),
}


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, kind: str, tmp_path: Path, target: Path) -> None:
    files, expected = REFUSED[name]
    archive = write(files, kind, tmp_path)
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    assert [part for part in [str(archive), *expected] if part not in str(caught.value)] == []
    assert tree(target) == {}


def damaged_image() -> bytes:
    """A stored zip with one byte of ISIC_2 changed: its CRC is wrong."""
    content = zip_bytes(PLAIN, ZIP_STORED)
    position = content.index(TWO) + 20
    return content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :]


def damaged_stream() -> bytes:
    """A deflated zip with the metadata's stream overwritten: zlib cannot read it."""
    content = zip_bytes({TABLE: CSV} | PLAIN)
    position = content.index(TABLE.encode()) + len(TABLE)
    return content[:position] + b"\xff" * 20 + content[position + 20 :]


def encrypted() -> bytes:
    """A zip whose ISIC_3 is flagged as encrypted, in both of its headers."""
    content = bytearray(zip_bytes(PLAIN))
    name = f"{UPPER}2/ISIC_3.jpg".encode()
    local = content.index(name) - 30
    central = content.index(name, local + 31) - 46
    content[local + 6] |= 1
    content[central + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ["does not exist", "Correct data.archive"]),
        (b"", ["which is neither"]),
        (b"<html>403</html>", ["which is neither", "Fetch it again"]),
        (zip_bytes(PLAIN)[:-30], ["Cannot read", "damaged", "fetch it again"]),
        (zip_bytes(PLAIN)[:100], ["Cannot read", "damaged", "fetch it again"]),
        (damaged_image(), [f"{UPPER}1/ISIC_2.jpg", "CRC", "damaged"]),
        (damaged_stream(), [TABLE, "damaged"]),
        (encrypted(), [f"{UPPER}2/ISIC_3.jpg is encrypted", "no password"]),
        (zip_bytes({}), ["must hold HAM10000_metadata.csv"]),
        (
            zip_bytes({"part_1.zip": zip_bytes(FLAT), TABLE: CSV}),
            ["must hold images", "part_1.zip"],
        ),
    ],
    ids=[
        "missing",
        "empty",
        "html",
        "cut",
        "stub",
        "crc",
        "stream",
        "encrypted",
        "nothing",
        "zip in zip",
    ],
)
def test_unfit_file(content: bytes | None, expected: list[str], tmp_path: Path, target: Path) -> None:
    archive = tmp_path / "archive.zip"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    assert [part for part in [str(archive), *expected] if part not in str(caught.value)] == []


def test_damaged_part_zip_is_named(tmp_path: Path, target: Path) -> None:
    archive = write(DATAVERSE | {f"{UPPER}2.zip": b"PK half"}, "folder", tmp_path)
    with pytest.raises(UserError, match=f"Cannot read .*{UPPER}2.zip"):
        unpack(archive, target)


@pytest.mark.parametrize(
    "prefix",
    ["../../", "/", f"{UPPER}1/../../../", "..\\..\\", "C:\\", "./", "//host/share/"],
)
def test_nothing_outside_target(prefix: str, tmp_path: Path, target: Path) -> None:
    files = {f"{prefix}{name}": FLAT[name] for name in FLAT}
    unpack(write(files, "zip", tmp_path), target)
    assert set(tree(tmp_path)) == {"archive.zip"} | {f"deep/target/{name}" for name in ALL_IN_PART_1}


def test_backslashes_are_folders(tmp_path: Path, target: Path) -> None:
    unpack(write({name.replace("/", "\\"): PLAIN[name] for name in PLAIN}, "zip", tmp_path), target)
    assert tree(target) == PLAIN


def test_links_inside_are_followed_and_broken_ones_left_out(tmp_path: Path, target: Path) -> None:
    archive = write({f"store/{name.replace(UPPER, 'p')}": PLAIN[name] for name in PLAIN}, "folder", tmp_path)
    for name in (f"{UPPER}1", f"{UPPER}2"):
        (archive / name).symlink_to(archive / "store" / name.replace(UPPER, "p"))
    (archive / f"{UPPER}3.jpg").symlink_to("store/nowhere")
    (archive / ".hidden").symlink_to(tmp_path)  # is passed over, as everything hidden is
    (tmp_path / "link").symlink_to(archive)
    unpack(tmp_path / "link", target)
    assert tree(target) == PLAIN


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        (f"{UPPER}1/ISIC_9.jpg", "secret.jpg"),
        (f"{UPPER}1/ISIC_9.jpg", "archive_2/ISIC_9.jpg"),
        (f"{UPPER}1/ISIC_9.jpg", "nowhere"),
        (TABLE, "secret.jpg"),
        ("more", "archive_2"),
        (f"{UPPER}2.zip", "part.zip"),
    ],
    ids=["an image", "beside, by a like name", "broken", "the metadata", "a folder", "a part zip"],
)
def test_a_link_that_leaves_the_archive_is_refused_before_a_byte_is_copied(
    name: str, leads_to: str, tmp_path: Path, target: Path
) -> None:
    archive = write({other: PLAIN[other] for other in PLAIN if other != name}, "folder", tmp_path)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "part.zip").write_bytes(zip_bytes({"ISIC_9.jpg": b"secret"}))
    (tmp_path / "archive_2").mkdir()
    (tmp_path / "archive_2" / "ISIC_9.jpg").write_bytes(b"secret")
    (archive / name).symlink_to(tmp_path / leads_to)
    with pytest.raises(UserError, match=f"{archive / name}, a link to {tmp_path / leads_to}. Replace it"):
        unpack(archive, target)
    assert tree(target) == {}


def test_links_in_a_ring_end(tmp_path: Path, target: Path) -> None:
    archive = write(PLAIN, "folder", tmp_path)
    for number in range(3):
        (archive / f"ring_{number}").symlink_to(archive)
    unpack(archive, target)
    assert tree(target) == PLAIN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_passed_over(tmp_path: Path, target: Path) -> None:
    archive = write(PLAIN, "folder", tmp_path)
    os.mkfifo(archive / f"{UPPER}1" / "ISIC_8.jpg")
    unpack(archive, target)
    assert tree(target) == PLAIN


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_what_cannot_be_read_is_named(kind: str, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write(PLAIN, kind, tmp_path)
    unreadable = archive if kind == "zip" else archive / f"{UPPER}2" / "ISIC_3.jpg"
    really_open = Path.open

    def refuse(path: Path, mode: str = "r", **options: object) -> object:
        if path == unreadable:
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, mode, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=f"Cannot read {unreadable}: Permission denied. Make it readable"):
        unpack(archive, target)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its images would be missing in silence."""
    archive = write(PLAIN, "folder", tmp_path)
    really_list = os.scandir

    def refuse(place: str | Path) -> object:
        if str(place).endswith("part_2"):
            raise PermissionError(13, "Permission denied", str(place))
        return really_list(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=f"Cannot read {archive}/{UPPER}2: Permission denied"):
        unpack(archive, target)


def test_no_half_image_is_left(tmp_path: Path, target: Path) -> None:
    """The checksum is known to be wrong once all is read."""
    archive = tmp_path / "archive.zip"
    archive.write_bytes(damaged_image())
    with pytest.raises(UserError, match="CRC"):
        unpack(archive, target)
    assert tree(target) == {name: PLAIN[name] for name in (TABLE, f"{UPPER}1/ISIC_1.jpg")}


def test_a_disk_that_is_full_is_no_fault_of_the_archive(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(PLAIN, "zip", tmp_path)

    class Full(io.BytesIO):
        def writelines(self, pieces: object) -> None:
            raise OSError(28, "No space left on device")

    really_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": Full() if mode == "wb" else really_open(path, mode))
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, target)


def test_a_bomb_is_read_no_further_than_the_limit(tmp_path: Path, target: Path) -> None:
    """A file that grows while it is read is as large as it says too late."""
    archive = write(PLAIN, "folder", tmp_path)
    entry = FileEntry(PurePosixPath(TABLE), archive / TABLE)
    with (archive / TABLE).open("wb") as file:
        file.truncate(10**12)
    read = 0
    with pytest.raises(UserError, match=f"Cannot read {archive / TABLE}: it goes on after 20 MB"):
        for piece in entry.chunks():
            read += len(piece)
    assert read <= MOST_BYTES
    with pytest.raises(UserError, match="goes on"):
        entry.copy(target / TABLE)
    assert tree(target) == {}


def test_many_files_that_are_not_taken_cost_little(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(zip_bytes(PLAIN | {f"more/{number}.txt": b"" for number in range(20_000)}, ZIP_STORED))
    tracemalloc.start()
    try:
        unpack(path, target)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert tree(target) == PLAIN


@pytest.mark.skipif("HAM10000_ARCHIVE" not in os.environ, reason="HAM10000_ARCHIVE names no HAM10000 archive")
def test_real_archive(target: Path) -> None:
    unpack(Path(os.environ["HAM10000_ARCHIVE"]), target)
    counts = [len(list((target / f"{UPPER}{part}").iterdir())) for part in (1, 2)]
    assert counts == [5000, 5015]
    assert {path.name for path in target.iterdir()} == {f"{UPPER}1", f"{UPPER}2", TABLE}
