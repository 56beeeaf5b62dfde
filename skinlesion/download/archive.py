"""HAM10000 as people have it on disk, brought into its own layout: two part folders, metadata.

Known inputs: the zip of Kaggle (it holds the images twice), the same unpacked, both under other top
folders, and a folder with the files of Harvard Dataverse (two zips of images, and the metadata).

An archive may be damaged or made to do harm. What is written is named by an image id and a part's number, never by
a path of the archive; all that is taken is checked before the first byte is written.
"""

from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from skinlesion.core.ids import IMAGE_ID, IMAGE_ID_RULE
from skinlesion.download.contents import PART, list_entries
from skinlesion.download.entries import Entry, printable
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.paths import RAW_METADATA

IMAGE_SUFFIXES = {".jpg", ".jpeg"}
METADATA_NAMES = {"ham10000_metadata.csv", "ham10000_metadata"}
MOST_GIGABYTES = 10  # of all that is taken: the genuine images have 2.8 GB


def unpack(archive: Path, target: Path) -> None:
    """Bring a zip or folder with HAM10000 into HAM10000's own layout in the empty folder `target`.

    Writes HAM10000_metadata.csv and HAM10000_images_part_<1|2>/<image_id>.jpg, byte for byte, and
    nothing else. An image found several times is taken once. Where some images lie in part folders
    or part zips, only such images are taken; where none does, all go to part 1.

    Raises:
        UserError: `archive` is missing, no zip or folder, damaged or encrypted; it has no images,
            no metadata file or different ones; an image id is odd, or has different contents; a file or all of
            them are larger than HAM10000 can be, or no plain files.
    """
    with ExitStack() as opened:
        entries = list(list_entries(archive, opened))
        metadata = choose_metadata(entries, archive)
        images = choose_images(entries, archive)
        check_total([metadata, *images.values()], archive)
        metadata.copy(target / RAW_METADATA.name)
        for image_id, entry in tqdm(images.items(), desc="unpacking", unit="image", disable=None):
            folder = target / f"HAM10000_images_part_{part_of(entry) or 1}"
            folder.mkdir(exist_ok=True)
            entry.copy(folder / f"{image_id}.jpg")


def choose_metadata(entries: list[Entry], archive: Path) -> Entry:
    """The one metadata file among `entries`; copies with the same bytes count once."""
    found = [entry for entry in entries if entry.inside.name.lower() in METADATA_NAMES]
    if not found:
        others = sorted(printable(entry.inside) for entry in entries if not is_image(entry))
        held = listing(others) or ("images only" if entries else "nothing in it")
        raise UserError(
            f"The archive must hold {RAW_METADATA.name}. Received: {archive}, with {held}. Put it beside the images, "
            "give their folder as data.archive (of Dataverse: both part zips, and the metadata with ?format=original)"
        )
    for entry in found:
        entry.check()
        if entry is not found[0]:
            check_same("The archive must hold one metadata file", found[0], entry, archive)
    return found[0]


def choose_images(entries: list[Entry], archive: Path) -> dict[str, Entry]:
    """Image id -> the entry to take, by part and id."""
    found = [entry for entry in entries if is_image(entry)]
    # What lies beside the parts, such as the test images of ISIC 2018, is not HAM10000.
    found = [entry for entry in found if part_of(entry)] or found
    if not found:
        names = sorted(printable(entry.inside) for entry in entries)
        raise UserError(
            f"The archive must hold images (.jpg). Received: {archive}, with {listing(names)}. "
            "Where zips inside it hold them, unpack it and give the folder as data.archive"
        )
    odd = [printable(entry.inside) for entry in found if not IMAGE_ID.fullmatch(entry.inside.stem)]
    if odd:
        raise UserError(
            f"An image is named by its id: {IMAGE_ID_RULE}. Received: {listing(odd)} in {archive}. "
            "Rename or remove them"
        )
    chosen: dict[str, Entry] = {}
    spelled: dict[str, str] = {}
    for entry in sorted(found, key=lambda entry: (part_of(entry), str(entry.inside))):
        entry.check()
        image_id = entry.inside.stem
        other = spelled.setdefault(image_id.casefold(), image_id)
        if other != image_id:  # one file to macOS and Windows
            raise UserError(
                f"Images' ids must differ in more than capitals. Received: {other} and {image_id} in {archive}. "
                "Rename or remove one"
            )
        first = chosen.setdefault(image_id, entry)
        if first is not entry:
            check_same("Copies of one image must be equal", first, entry, archive)
    return chosen


def check_same(rule: str, first: Entry, second: Entry, archive: Path) -> None:
    """Raise UserError with the `rule` where two entries differ in content."""
    if first.fingerprint() != second.fingerprint():
        raise UserError(
            f"{rule}. Received: {printable(first.inside)} and {printable(second.inside)} in {archive}, which differ. "
            "Remove the wrong one"
        )


def check_total(taken: list[Entry], archive: Path) -> None:
    """Raise UserError where all that is to be written is far more than HAM10000 has."""
    total = sum(entry.size for entry in taken) / 10**9
    if total > MOST_GIGABYTES:
        raise UserError(
            f"HAM10000 unpacked has at most {MOST_GIGABYTES} GB. Received: {archive}, with {total:,.0f} GB in "
            f"{len(taken):,} files. Give an archive of HAM10000 alone"
        )


def part_of(entry: Entry) -> int:
    """1 or 2 by the innermost part folder or part zip around the entry; 0 where there is none."""
    numbers = PART.findall(str(entry.inside.parent))
    return int(numbers[-1]) if numbers else 0


def is_image(entry: Entry) -> bool:
    return entry.inside.suffix.lower() in IMAGE_SUFFIXES
