"""Whatever bytes an archive has: unpacked into HAM10000's layout, or refused in a message; nothing else changes."""

import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinlesion.download.archive import unpack
from skinlesion.runtime.errors import UserError

within = settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
LAYOUT = re.compile(r"HAM10000_metadata\.csv|HAM10000_images_part_[12]/[A-Za-z0-9_-]{1,100}\.jpg")
TABLE, PART = "HAM10000_metadata.csv", "HAM10000_images_part_1"
WAYS = [
    "{}", "../{}", "../../../{}", "/{}", "/etc/{}", "C:\\{}", "..\\..\\{}", "//host/{}", "./{}", "a/../{}",
    "__MACOSX/{}", ".hidden/{}", "ä/{}", "{}/", "{}\x00.txt", "{}.zip", "\x1b[2J{}", "{}\n",
]  # fmt: skip
FILES = [TABLE, f"{PART}/ISIC_1.jpg", f"{PART}/ISIC_2.JPG", "images_part_2/ISIC_3.jpeg", "ISIC_4.jpg", "x.txt"]
odd = st.text(max_size=8).map(lambda text: f"{PART}/{text}.jpg")
name = st.builds(str.format, st.sampled_from(WAYS), st.sampled_from(FILES) | odd)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip of odd names, attributes, methods and sizes; then maybe bytes changed, cut off, or put in front."""
    files = draw(st.lists(st.tuples(name, st.binary(max_size=40)), max_size=6))
    if draw(st.booleans()):
        files += [(TABLE, b"lesion_id"), (f"{PART}/ISIC_1.jpg", b"picture")]
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for inside, content in files:
            info = ZipInfo(inside)
            info.compress_type = draw(st.sampled_from([ZIP_STORED, ZIP_DEFLATED] * 3 + [ZIP_BZIP2, ZIP_LZMA]))
            archive.writestr(info, content)
        for info in archive.filelist:
            edits = st.dictionaries(
                st.sampled_from(["file_size", "CRC", "header_offset"]), st.integers(0, 2**31), max_size=1
            )
            for field, value in draw(st.just({}) | st.just({}) | edits).items():
                setattr(info, field, value)
            info.external_attr = draw(st.just(0) | st.integers(0, 2**32 - 1))
            info.create_system = draw(st.sampled_from([0, 3]))
    content = bytearray(buffer.getvalue())
    for place, value in draw(st.just([]) | st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3)):
        content[place % len(content)] = value
    return draw(st.just(b"") | st.binary(max_size=20)) + bytes(content[: draw(st.just(None) | st.integers(0, 2000))])


def below(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def check(write: Callable[[Path], Path]) -> None:
    """Make an archive and unpack it; assert what is to hold whatever it is."""
    with tempfile.TemporaryDirectory() as place:
        around = Path(place)
        target = around / "deep" / "target"
        target.mkdir(parents=True)
        archive = write(around)
        before = below(around)
        try:
            unpack(archive, target)
            assert (target / TABLE).is_file()
            assert list(target.glob("*/*.jpg"))
        except UserError as refused:
            message = str(refused)
            assert str(archive) in message
            assert len(message) < 3000
            assert message.isprintable()
        after = below(around)
        made = {path.removeprefix("deep/target/") for path in set(after) - set(before)}
        assert [path for path in made if not LAYOUT.fullmatch(path)] == []
        assert {path: after.get(path) for path in before} == before


def check_zip(content: bytes) -> None:
    def write(around: Path) -> Path:
        (around / "x.zip").write_bytes(content)
        return around / "x.zip"

    check(write)


@within
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda content: b"PK\3\4" + content))
def test_any_bytes(content: bytes) -> None:
    check_zip(content)


@within
@given(zips())
def test_zips_made_to_do_harm(content: bytes) -> None:
    check_zip(content)


@within
@given(
    zips(), st.lists(st.text("aIä_-. \n\x1b", min_size=1, max_size=8).filter(lambda text: text.strip(".")), max_size=4)
)
def test_folders_with_part_zips(content: bytes, names: list[str]) -> None:
    def write(around: Path) -> Path:
        folder = around / "archive"
        (folder / PART).mkdir(parents=True)
        (folder / TABLE).write_bytes(b"lesion_id")
        (folder / f"{PART}.zip").write_bytes(content)
        for number, odd in enumerate(names):
            (folder / PART / f"{odd}.jpg").write_bytes(b"picture")
            (folder / PART / f"{number}.jpg").symlink_to(f"{odd}.jpg" if number else "nowhere.jpg")
        return folder

    check(write)
