"""Sets in the layout of ISIC 2018, task 3: read whole from a zip, a folder or Dataverse's files, or refused by name."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from skinlesion.external import challenge
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import write_archive, zip_of

INPUT, TRUTH = "ISIC2018_Task3_Test_Input", "ISIC2018_Task3_Test_GroundTruth.csv"
HEADER = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
ROWS = ("ISIC_2,0.0,1.0,0,0,0,0,0", "ISIC_1,1,0,0,0,0,0,0", "ISIC_3,0,0,0,0,0,0,1")
IMAGES = {f"{INPUT}/ISIC_{number}.jpg": b"image %d" % number for number in (1, 2, 3)}


def truth(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def files(*rows: str, header: str = HEADER) -> dict[str, bytes]:
    return IMAGES | {TRUTH: truth(*(rows or ROWS), header=header)}


def read(archive: Path) -> tuple[LabelledSet, dict[str, bytes]]:
    """The set, and the content of each of its images."""
    with ExitStack() as stack:
        labelled = challenge.read(archive, stack)
        return labelled, {name: labelled.open(name).read() for name in labelled.table["image_id"]}


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize(
    "content",
    [
        files(),
        {f"isic/{name}": content for name, content in files().items()} | {"isic/LICENSE.txt": b"text"},
        files()
        | {"__MACOSX/._ISIC_1.jpg": b"of macOS", f"__MACOSX/._{TRUTH}": b"of macOS", "copy/ISIC_1.jpg": b"image 1"},
        files() | {TRUTH: truth(*ROWS).replace(b"\n", b"\r\n").replace(b"image", b"\xef\xbb\xbfimage", 1)},
    ],
)
def test_layouts_of_the_challenge(content: dict[str, bytes], kind: str, tmp_path: Path) -> None:
    labelled, images = read(write_archive(content, kind, tmp_path))
    assert dict(zip(labelled.table["image_id"], labelled.table["dx"], strict=True)) == {
        "ISIC_1": "mel",
        "ISIC_2": "nv",
        "ISIC_3": "vasc",
    }
    assert images == {f"ISIC_{number}": b"image %d" % number for number in (1, 2, 3)}
    assert set(labelled.table["lesion_id"]) == {""}


def test_the_files_of_dataverse_name_the_lesions(tmp_path: Path) -> None:
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"
    rows = [f"HAM_{number},ISIC_{number},nv,histo,45,male,back,vidir" for number in (1, 2, 3)]
    zipped = zip_of({Path(name).name: content for name, content in IMAGES.items()})
    content = {"ISIC2018_Task3_Test_Images.zip": zipped, TRUTH: truth(*rows, header=header)}
    labelled, images = read(write_archive(content, "folder", tmp_path))
    assert list(labelled.table["lesion_id"]) == ["HAM_1", "HAM_2", "HAM_3"]
    assert list(labelled.table["age"]) == [45, 45, 45]
    assert images["ISIC_2"] == b"image 2"


FAULTS = {
    "two ones": (files("ISIC_1,1,1,0,0,0,0,0", *ROWS[:1], ROWS[2]), "exactly one 1: 'ISIC_1' in row 2"),
    "no one": (files(*ROWS[:2], "ISIC_3,0,0,0,0,0,0,0"), "exactly one 1: 'ISIC_3' in row 4"),
    "another number": (files(*ROWS[:2], "ISIC_3,0,0,0,0,0,0,0.5"), "VASC is not 0 or 1: '0.5' in row 4"),
    "an image without a row": (files(*ROWS[:2]), "images without a row (1): .*ISIC_3.jpg"),
    "a row without an image": (files(*ROWS, "ISIC_4,1,0,0,0,0,0,0"), "rows without an image (1): ISIC_4"),
    "an unknown column": (files(*(f"{row},0" for row in ROWS), header=f"{HEADER},SCC"), "unknown columns: 'SCC'"),
    "a missing column": (files("ISIC_1,1,0,0,0,0,0", header=HEADER.removesuffix(",VASC")), "needed once: VASC"),
    "a row twice": (files(*ROWS, ROWS[0]), "image is in more than one row: 'ISIC_2' in row 2, 'ISIC_2' in row 5"),
    "a path as id": (files(*ROWS, "../ISIC_9,1,0,0,0,0,0,0"), r"'../ISIC_9' in row 5"),
    "no truth": (IMAGES, "has 0 files named *GroundTruth.csv"),
    "no image": ({TRUTH: truth(*ROWS)}, "has no image named ISIC_<digits>.jpg"),
    "a picture with another name": (files() | {f"{INPUT}/photo.png": b"png"}, "not ISIC_<digits>.jpg (1): ISIC2018"),
    "copies that differ": (files() | {"more/ISIC_1.jpg": b"another"}, "are not equal copies"),
}


@pytest.mark.parametrize(("content", "words"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_named(content: dict[str, bytes], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(write_archive(content, "zip", tmp_path))
    assert all(part in str(caught.value) for part in words.split(".*"))
    assert "archive.zip" in str(caught.value)
    assert "dvc repro" in str(caught.value) or "external.archive" in str(caught.value) or "Remove" in str(caught.value)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    folder = write_archive(files(), "folder", tmp_path)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / INPUT / "ISIC_4.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UserError, match=r"ISIC_4\.jpg links to .*secret\.jpg, outside"):
        read(folder)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"external\.archive: .*nowhere does not exist"):
        read(tmp_path / "nowhere")
