"""Balance: bring every class to the same number of images, by sampling large classes and copying in small ones.

The choice of an image and the recipes of its copies depend only on the seed and its id, so that a new original changes
its own class and nothing else.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.balance import augment
from skinlesion.core import images
from skinlesion.core.digest import digest
from skinlesion.core.parallel import map_parallel
from skinlesion.runtime.params.sections import Balance, Operations

COLUMNS = ["path", "image_id", "group", "dx", "augmented", "operations", "balanced"]


def plan(table: pd.DataFrame, folder: Path, copies: Path, balance_params: Balance) -> pd.DataFrame:
    """Return the manifest: every original, and the copies that fill small classes.

    Args:
        table: metadata with image_id, group, dx.
        folder: of the originals, <image_id>.png.
        copies: of the copies to be made, <dx>/<image_id>_<number>.png.

    Returns:
        a row per original and per copy: path, image_id, group, dx, augmented, operations (the recipe), balanced
        (whether the row is one of the per_class rows of its class); originals first, both in the order of `table`.
    """
    originals = table[["image_id", "group", "dx"]].assign(
        path=[(folder / f"{image_id}.png").as_posix() for image_id in table["image_id"]],
        augmented=False,
        operations="",
        balanced=True,
    )
    if balance_params.per_class is None:
        return originals[COLUMNS]
    rank = originals["image_id"].map(lambda image_id: digest(balance_params.seed, "choose", image_id))
    place = rank.groupby(originals["dx"]).rank(method="first") - 1
    originals["balanced"] = place < balance_params.per_class
    size = originals.groupby("dx")["image_id"].transform("size")
    # The originals of a class share its per_class rows evenly; the first row of each is the original itself.
    shares = balance_params.per_class // size + (place < balance_params.per_class % size)
    rows = [
        {
            **original._asdict(),
            "path": (copies / original.dx / f"{original.image_id}_{number:03d}.png").as_posix(),
            "augmented": True,
            "operations": draw_recipe(balance_params.seed, original.image_id, number, balance_params.operations),
        }
        for original, share in zip(originals.itertuples(index=False), shares, strict=True)
        for number in range(1, int(share))
    ]
    copied = pd.DataFrame(rows, columns=originals.columns).astype(originals.dtypes)
    return pd.concat([originals, copied], ignore_index=True)[COLUMNS]


def draw_recipe(seed: int, image_id: str, number: int, ranges: Operations) -> str:
    """Return the recipe of copy `number` of an original."""
    return augment.draw(ranges, np.random.default_rng(digest(seed, "copy", image_id, number)))


def make_copies(manifest: pd.DataFrame, target: Path, root: Path) -> None:
    """Write the copies that `manifest` lists into `target`, in place of `root`, with which their paths begin."""
    source_of = manifest[~manifest["augmented"]].set_index("image_id")["path"]
    copied = manifest[manifest["augmented"]]
    for code in copied["dx"].unique():
        (target / "images" / code).mkdir(parents=True)

    families = [
        (
            Path(source_of[image_id]).absolute(),
            [(target / Path(row.path).relative_to(root), row.operations) for row in rows.itertuples()],
        )
        for image_id, rows in copied.groupby("image_id")
    ]

    def make(family: tuple[Path, list[tuple[Path, str]]]) -> None:
        original, copies = family
        image = images.read(original)  # once for all of its copies
        for file, recipe in copies:
            images.write_png(file, augment.apply(recipe, image))

    map_parallel(make, families, "copying originals")
