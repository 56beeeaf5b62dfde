"""The stages merge and balance: ours; a loop with Pillow, as people write it; and nothing but decoding, on all cores.

Decoding alone is by Pillow, and by simplejpeg, the quickest here. Ours decodes by simplejpeg.

At 200x150 px, one image in ten of HAM10000 is merged and balanced to 200 per class, 1,400 images at 128 px: the
proportions of 10,015 images and 14,000. At 600x450 px, the images given are repeated to 1,000, and merged. The plain
loop makes the same copies, by the same manifest. All start from JPEG files. Files lie in memory where the system has a
place for that (/dev/shm): what a disk is busy with, as with the files of the round before, counts for none. Each runs
twice in its process, and the second run counts, so that one-time costs do not.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image, ImageEnhance, ImageOps

from benchmarks import once
from skinlesion.balance import plan
from skinlesion.core.ham10000 import CODES
from skinlesion.core.parallel import map_parallel
from skinlesion.download.archive import unpack
from skinlesion.merge import merge
from skinlesion.runtime.params.sections import Balance, Data, Images, Operations

UNIT = "images/s"
ROUNDS = 5
SIZE = 128
SMALL, LARGE = "HAM10000_ARCHIVE", "HAM10000_600x450"  # environment variables with the paths of archives
IN_TEN = 10
REPEATED = 1000
IN_MEMORY = Path("/dev/shm")
OPERATIONS = Operations(
    rotate=180, flip_horizontal=0.5, flip_vertical=0.5, brightness=0.1, contrast=0.1, zoom=0.15, shift=0.05
)
BALANCE = Balance(seed=17, per_class=2000 // IN_TEN, operations=OPERATIONS)
DATA = Data(source="sample", sample_seed=0, archive=None, duplicates=None, on_bad_image="fail")

Stages = Callable[[Path, Path], int]


def synthetic(folder: Path, count: int, width: int, height: int) -> None:
    """Blurred blobs with the grain of a photograph, as JPEGs in HAM10000's layout and in its proportions of classes."""
    part = folder / "HAM10000_images_part_1"
    part.mkdir()
    random = np.random.default_rng(0)
    shares = np.array([327, 514, 1099, 115, 1113, 6705, 142]) / 10015  # in the order of CODES
    rows = []
    for number in range(count):
        blobs = cv2.resize(random.uniform(60, 220, (6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(blobs + random.normal(0, 6, blobs.shape), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(part / f"ISIC_{number:07d}.jpg", quality=90)
        dx = CODES[number] if number < len(CODES) else random.choice(list(CODES), p=shares)
        rows.append((f"HAM_{number:07d}", f"ISIC_{number:07d}", dx, "histo", "45.0", "female", "back"))
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "HAM10000_metadata.csv", index=False)


def one_in_ten(folder: Path) -> str:
    """Fill `folder` with small images; say where they come from."""
    if SMALL not in os.environ:
        synthetic(folder, 10015 // IN_TEN, 200, 150)
        return "synthetic images"
    unpack(Path(os.environ[SMALL]), folder)
    table = pd.read_csv(folder / "HAM10000_metadata.csv").sort_values("image_id")[::IN_TEN]
    kept = set(table["image_id"])
    for file in folder.glob("*/*.jpg"):
        if file.stem not in kept:
            file.unlink()
    table.to_csv(folder / "HAM10000_metadata.csv", index=False)
    return "HAM10000"


def repeated(folder: Path) -> str:
    """Fill `folder` with large images; say where they come from."""
    with tempfile.TemporaryDirectory() as name:
        origin = Path(name)
        if LARGE in os.environ:
            unpack(Path(os.environ[LARGE]), origin)
        else:
            synthetic(origin, 124, 600, 450)
        table = pd.read_csv(origin / "HAM10000_metadata.csv")
        files = {file.stem: file for file in origin.glob("*/*.jpg")}
        part = folder / "HAM10000_images_part_1"
        part.mkdir()
        rows = table.iloc[[number % len(table) for number in range(REPEATED)]].copy()
        for number, image_id in enumerate(rows["image_id"]):
            (part / f"ISIC_{number:07d}.jpg").write_bytes(files[image_id].read_bytes())
        rows["image_id"] = [f"ISIC_{number:07d}" for number in range(REPEATED)]
        rows.to_csv(folder / "HAM10000_metadata.csv", index=False)
    return "HAM10000" if LARGE in os.environ else "synthetic images"


def merged(raw: Path, work: Path) -> pd.DataFrame:
    (work / "merged").mkdir()
    return merge.merge(raw, work / "merged", DATA, Images(size=SIZE, fit="stretch"))[0]


def ours_merge(raw: Path, work: Path) -> int:
    return len(merged(raw, work))


def ours(raw: Path, work: Path) -> int:
    manifest = drawn_up(merged(raw, work), work)
    plan.make_copies(manifest, work / "balanced", work / "balanced")
    return len(manifest)


def drawn_up(table: pd.DataFrame, work: Path) -> pd.DataFrame:
    return plan.plan(table, work / "merged" / "images", work / "balanced" / "images", BALANCE)


def plain_merge(raw: Path, work: Path) -> int:
    folder = work / "merged" / "images"
    folder.mkdir(parents=True)
    files = sorted(raw.glob("*/*.jpg"))
    for file in files:
        Image.open(file).convert("RGB").resize((SIZE, SIZE)).save(folder / f"{file.stem}.png")
    return len(files)


def plain(raw: Path, work: Path) -> int:
    plain_merge(raw, work)
    table = pd.read_csv(raw / "HAM10000_metadata.csv").rename(columns={"lesion_id": "group"})
    manifest = drawn_up(table, work)
    copies = manifest[manifest["augmented"]]
    for row in copies.itertuples():
        path = Path(row.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(work / "merged" / "images" / f"{row.image_id}.png")
        for word in row.operations.split():
            name, _, value = word.partition("=")
            picture = PLAIN[name](picture, value)
        picture.save(path)
    return len(manifest)


def zoomed(picture: Image.Image, value: str) -> Image.Image:
    margin = round(SIZE * (1 - 1 / float(value)) / 2)
    return picture.crop((margin, margin, SIZE - margin, SIZE - margin)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def shifted(picture: Image.Image, value: str) -> Image.Image:
    x, y = (float(part) * SIZE for part in value.split(","))
    return picture.transform((SIZE, SIZE), Image.Transform.AFFINE, (1, 0, -x, 0, 1, -y), Image.Resampling.BILINEAR)


PLAIN: dict[str, Callable[[Image.Image, str], Image.Image]] = {
    "rotate": lambda picture, value: picture.rotate(float(value), Image.Resampling.BILINEAR),
    "flip_horizontal": lambda picture, _: ImageOps.mirror(picture),
    "flip_vertical": lambda picture, _: ImageOps.flip(picture),
    "zoom": zoomed,
    "shift": shifted,
    "contrast": lambda picture, value: ImageEnhance.Contrast(picture).enhance(float(value)),
    "brightness": lambda picture, value: ImageEnhance.Brightness(picture).enhance(float(value)),
}


def by_pillow(file: Path) -> None:
    Image.open(file).load()


def by_simplejpeg(file: Path) -> None:
    simplejpeg.decode_jpeg(file.read_bytes())


def decoding(decode: Callable[[Path], None]) -> Stages:
    def decode_all(raw: Path, work: Path) -> int:
        files = sorted(raw.glob("*/*.jpg"))
        map_parallel(decode, files, "decoding")
        return len(files)

    return decode_all


def measured(bring: Callable[[Path], str], stages: Stages) -> Callable[[], dict]:
    """Measure `stages` on the images that `bring` brings, the second time they run: the first warms up."""

    def measure() -> dict:
        with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as name:
            raw = Path(name) / "raw"
            raw.mkdir()
            origin = bring(raw)
            for turn in ("warm", "measured"):
                work = Path(name) / turn
                work.mkdir()
                start = time.perf_counter()
                count = stages(raw, work)
            return {"value": count / (time.perf_counter() - start), "images": origin}

    return measure


VARIANTS: dict[str, Callable[[], dict]] = {
    "ours, merge and balance from 200x150": measured(one_in_ten, ours),
    "plain Pillow loop, merge and balance from 200x150": measured(one_in_ten, plain),
    "ours, merge from 600x450": measured(repeated, ours_merge),
    "decoding alone, 600x450": measured(repeated, decoding(by_pillow)),
    "decoding alone by simplejpeg, 600x450": measured(repeated, decoding(by_simplejpeg)),
    "plain Pillow loop, merge from 600x450": measured(repeated, plain_merge),
    "ours, merge from 200x150": measured(one_in_ten, ours_merge),
    "decoding alone, 200x150": measured(one_in_ten, decoding(by_pillow)),
}
TARGETS: list[tuple[str, str, float]] = [
    ("ours, merge and balance from 200x150", "plain Pillow loop, merge and balance from 200x150", 2.5),
    ("ours, merge from 600x450", "decoding alone, 600x450", 0.8),
    ("ours, merge from 600x450", "decoding alone by simplejpeg, 600x450", 0.8),
]

if __name__ == "__main__":
    once.main(VARIANTS)
