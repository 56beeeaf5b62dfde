"""Any bytes as an archive: unpacked into HAM10000's layout, or refused in a message; nothing else changes."""

import io
import re
import tempfile
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinlesion.download.archive import unpack
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import PART, TABLE, read_tree

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
examples = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OURS = re.compile(r"HAM10000_metadata\.csv|HAM10000_images_part_[12]/ISIC_[0-9]+\.jpg")
WAYS = [
    "{}", "../{}", "../../../{}", "/{}", "/etc/{}", "C:\\{}", "..\\..\\{}", "//host/{}", "./{}", "a/../{}",
    "__MACOSX/{}", ".hidden/{}", "ä/{}", "{}/", "{}\x00.txt", "{}.zip", "\x1b[2J{}", "{}\n",
]  # fmt: skip
FILES = [TABLE, f"{PART}1/ISIC_1.jpg", f"{PART}1/ISIC_2.JPG", "images_part_2/ISIC_3.jpeg", "ISIC_4.jpg", "x.txt"]
odd_images = st.text(max_size=8).map(lambda text: f"{PART}1/ISIC_{text}.jpg")
names = st.builds(str.format, st.sampled_from(WAYS), st.sampled_from(FILES) | odd_images)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip of odd names, attributes, methods and sizes; then maybe bytes changed, cut off, or put in front."""
    files = draw(st.lists(st.tuples(names, st.binary(max_size=40)), max_size=6))
    files += draw(st.sampled_from([[], [(TABLE, b"lesion_id"), (f"{PART}1/ISIC_1.jpg", b"image")]]))
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in files:
            info = ZipInfo(name)
            info.compress_type = draw(st.sampled_from([ZIP_STORED, ZIP_DEFLATED] * 3 + [ZIP_BZIP2, ZIP_LZMA]))
            archive.writestr(info, content)
        for info in archive.filelist:
            fields = st.sampled_from(["file_size", "CRC", "header_offset"])
            edits = draw(st.just({}) | st.dictionaries(fields, st.integers(0, 2**31), max_size=1))
            for field, value in edits.items():
                setattr(info, field, value)
            info.external_attr, info.create_system = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0, 3]))
    content = bytearray(buffer.getvalue())
    for place, value in draw(st.just([]) | st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3)):
        content[place % len(content)] = value
    return draw(st.just(b"") | st.binary(max_size=20)) + bytes(content[: draw(st.none() | st.integers(0, 2000))])


@examples
@given(
    zips() | st.binary(max_size=200).map(lambda content: b"PK\3\4" + content),
    st.none() | st.lists(st.text("1aIä_-. \n\x1b", min_size=1, max_size=8), max_size=4),
)
def test_any_archive_is_unpacked_into_the_layout_or_refused(content: bytes, images: list[str] | None) -> None:
    """The bytes are the archive or, with `images` beside it, a part zip in a folder."""
    with tempfile.TemporaryDirectory() as around:
        root, archive = Path(around), Path(around, "archive")
        target = root / "deep" / "target"
        target.mkdir(parents=True)
        if images is None:
            archive.write_bytes(content)
        else:
            (archive / f"{PART}1").mkdir(parents=True)
            (archive / TABLE).write_bytes(b"lesion_id")
            (archive / f"{PART}1.zip").write_bytes(content)
            for number, name in enumerate(images):
                (archive / f"{PART}1" / f"ISIC_{name}.jpg").write_bytes(b"image")
                (archive / f"{PART}1" / f"ISIC_{number}.jpeg").symlink_to(f"ISIC_{name}.jpg")
        before = read_tree(root)
        try:
            unpack(archive, target)
            assert (target / TABLE).is_file()
            assert list(target.glob("*/*.jpg"))
        except UserError as error:
            assert str(archive) in str(error)
            assert len(str(error)) < 3000
            assert str(error).isprintable()
        after = read_tree(root)
        written = [path.removeprefix("deep/target/") for path in set(after) - set(before)]
        assert [path for path in written if not OURS.fullmatch(path)] == []
        assert {path: after.get(path) for path in before} == before
