"""Balance: every class to the same number of images, by sampling the large and copying the small.

Who is chosen and what a copy looks like hangs on the seed and the image's own id alone, so that a new original
changes its own class and nothing else.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.balance import augment
from skinlesion.core import images
from skinlesion.core.digest import digest
from skinlesion.core.parallel import over_cores
from skinlesion.runtime.params.sections import Balance, Operations

COLUMNS = ["path", "image_id", "group", "dx", "augmented", "operations", "balanced"]


def plan(table: pd.DataFrame, folder: Path, copies: Path, how: Balance) -> pd.DataFrame:
    """Write the manifest: every original, and the copies that fill small classes.

    Args:
        table: metadata with image_id, group, dx.
        folder: where the originals lie, as <image_id>.png.
        copies: where the copies will lie, as <dx>/<image_id>_<number>.png.

    Returns:
        a row per original and per copy: path, image_id, group, dx, augmented, operations (the recipe), balanced
        (whether the row is one of its class's per_class); sorted by path within originals, then copies.
    """
    originals = table[["image_id", "group", "dx"]].assign(
        path=[(folder / f"{image_id}.png").as_posix() for image_id in table["image_id"]],
        augmented=False,
        operations="",
        balanced=True,
    )
    if how.per_class is None:
        return originals[COLUMNS]
    rank = originals["image_id"].map(lambda image_id: digest(how.seed, "choose", image_id))
    place = rank.groupby(originals["dx"]).rank(method="first") - 1
    originals["balanced"] = place < how.per_class
    size = originals.groupby("dx")["image_id"].transform("size")
    # The class's per_class rows are dealt to its originals in turn; the first turn is the original itself.
    shares = how.per_class // size + (place < how.per_class % size)
    rows = [
        {
            **original._asdict(),
            "path": (copies / original.dx / f"{original.image_id}_{number:03d}.png").as_posix(),
            "augmented": True,
            "operations": recipe(how.seed, original.image_id, number, how.operations),
        }
        for original, share in zip(originals.itertuples(index=False), shares, strict=True)
        for number in range(1, int(share))
    ]
    return pd.concat(
        [originals, pd.DataFrame(rows, columns=originals.columns).astype(originals.dtypes)], ignore_index=True
    )[COLUMNS]


def recipe(seed: int, image_id: str, number: int, ranges: Operations) -> str:
    """The recipe of copy `number` of an original."""
    return augment.draw(ranges, np.random.default_rng(digest(seed, "copy", image_id, number)))


def make_copies(manifest: pd.DataFrame, target: Path, root: Path) -> None:
    """Write the copies that `manifest` lists.

    Args:
        target: the folder to write to, standing for `root`, under which the manifest's paths of copies lie.
    """
    source_of = manifest[~manifest["augmented"]].set_index("image_id")["path"]
    copied = manifest[manifest["augmented"]]
    for code in copied["dx"].unique():
        (target / "images" / code).mkdir(parents=True)

    def make(family: tuple[str, pd.DataFrame]) -> None:
        image_id, rows = family
        image = images.read(Path(source_of[image_id]))  # once for all of its copies
        for path, recipe in zip(rows["path"], rows["operations"], strict=True):
            images.write_png(target / Path(path).relative_to(root), augment.apply(recipe, image))

    over_cores(make, list(copied.groupby("image_id")), "copying originals")
