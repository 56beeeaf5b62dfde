"""Archives of a tiny HAM10000, whose images are short texts: `unpack` does not decode them."""

import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

CSV = b"lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\nHAM_1,ISIC_2,nv\nHAM_2,ISIC_3,mel\n"
TABLE, PART = "HAM10000_metadata.csv", "HAM10000_images_part_"
LAYOUT = {
    f"{PART}1/ISIC_1.jpg": b"image 1",
    f"{PART}1/ISIC_2.jpg": b"image 2",
    f"{PART}2/ISIC_3.jpg": b"image 3",
    TABLE: CSV,
}


def zip_of(
    files: dict[str, bytes], method: int = ZIP_DEFLATED, edit: Callable[[ZipInfo], None] = lambda _: None
) -> bytes:
    """The bytes of a zip; `edit` changes what its directory says about each file."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in archive.filelist:
            edit(info)
    return buffer.getvalue()


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_archive(files: dict[str, bytes], kind: str, folder: Path) -> Path:
    """Write `files` into `folder` as archive.zip or as the folder archive; return its path."""
    if kind == "zip":
        (folder / "archive.zip").write_bytes(zip_of(files))
        return folder / "archive.zip"
    for name, content in files.items():
        path = folder / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "archive"
