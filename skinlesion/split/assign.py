"""Split: who trains, who selects, who is tested; and how many of the tested have a sibling in training.

Protocol `lesion` assigns groups, so that no lesion stands on two sides; validation and test are originals at their
natural frequencies. Protocol `image` assigns the balanced rows by class alone, as the published systems did: copies
and further views of a lesion fall on both sides.
"""

import numpy as np
import pandas as pd

from skinlesion.core.digest import digest
from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.params.sections import Split

SPLITS = ("train", "validation", "test")


def assign(manifest: pd.DataFrame, how: Split) -> pd.DataFrame:
    """Add the columns `split` (train, validation, test or unused; stratified by dx) and `leaked` to the manifest.

    Raises:
        UserError: a class has too few lesions (protocol lesion) or images (protocol image) for three splits, or none
            of its balanced rows falls to train.
    """
    table = PROTOCOLS[how.protocol](manifest, how)
    untaught = sorted(set(table["dx"]) - set(table.loc[table["split"] == "train", "dx"]))
    if untaught:
        raise UserError(
            f"no image of {', '.join(untaught)} is left to train on: raise balance.per_class or split.train"
        )
    return table.assign(leaked=leaks(table))


def by_lesion(manifest: pd.DataFrame, how: Split) -> pd.DataFrame:
    originals = manifest[~manifest["augmented"]]
    groups = originals.groupby("group").agg(dx=("dx", "first"), images=("image_id", "size"))
    split_of = deal(groups.reset_index(names="unit"), how, "lesions")
    split = manifest["group"].map(split_of)
    # A copy, or an original beyond per_class, is training material or nothing.
    outside = np.where(split == "train", ~manifest["balanced"], manifest["augmented"])
    return manifest.assign(split=split.mask(outside, "unused"))


def by_image(manifest: pd.DataFrame, how: Split) -> pd.DataFrame:
    rows = manifest[manifest["balanced"]]
    units = pd.DataFrame({"unit": rows["path"], "dx": rows["dx"], "images": 1})
    return manifest.assign(split=manifest["path"].map(deal(units, how, "images")).fillna("unused"))


PROTOCOLS = {"lesion": by_lesion, "image": by_image}


def deal(units: pd.DataFrame, how: Split, called: str) -> pd.Series:
    """Deal the units of each class to the splits, so that each split gets its fraction of the class's images.

    Under `folds` the units of each class are first cut into so many folds, one of which is the test split; the rest is
    dealt to validation and train, beginning behind the fold.

    Args:
        units: unit (an id), dx, images (how many images the unit brings).

    Returns:
        the split by unit.
    """
    units = units.assign(rank=[digest(how.seed, "split", unit) for unit in units["unit"]])
    dealt = []
    for code, members in units.sort_values("rank").groupby("dx"):
        if len(members) < max(how.folds or 0, len(SPLITS)):
            wanted = f"{how.folds} folds" if how.folds else "train, validation and test"
            raise UserError(
                f"class {code} has {len(members)} {called}, too few for {wanted}. "
                "Bring more, or leave the class out of the metadata"
            )
        split = pd.Series("test", index=members["unit"])
        images = members["images"].to_numpy()
        if how.folds:
            fold = cut(images, [1 / how.folds] * how.folds)
            behind = np.concatenate([np.flatnonzero(fold > how.fold), np.flatnonzero(fold < how.fold)])
            validation = how.validation / (how.validation + how.train)
            names = np.array(["validation", "train"])
            split.iloc[behind] = names[cut(images[behind], [validation, 1 - validation])]
        else:
            split[:] = np.array(["test", "validation", "train"])[cut(images, [how.test, how.validation, how.train])]
        dealt.append(split)
    return pd.concat(dealt)


def cut(images: np.ndarray, shares: list[float]) -> np.ndarray:
    """Cut a row of units, which bring so many images each, into parts by `shares`, which sum to 1; none is empty.

    A unit belongs where its middle falls. There are at least as many units as shares.

    Returns:
        the number of each unit's part.
    """
    part = np.searchsorted(np.cumsum(shares)[:-1], (np.cumsum(images) - images / 2) / images.sum(), side="right")
    last = -1
    for place in range(len(part)):
        units_left = len(part) - place
        part[place] = last = np.clip(part[place], len(shares) - units_left, last + 1)
    return part


def leaks(table: pd.DataFrame) -> pd.Series:
    """Which rows of validation and test have a sibling (an image of the same group) in train."""
    taught = table.loc[table["split"] == "train", "group"]
    return table["split"].isin(["validation", "test"]) & table["group"].isin(taught)


def summary(table: pd.DataFrame, protocol: str) -> dict:
    """What metrics/split.json holds: sizes per split and class, and leaked images."""
    used = table[table["split"] != "unused"]
    sizes = pd.crosstab(used["split"], used["dx"]).reindex(index=SPLITS, columns=CODES, fill_value=0)
    leaked = {split: table.loc[table["split"] == split, "leaked"] for split in ("validation", "test")}
    return {
        "protocol": protocol,
        "images": {split: int(sizes.loc[split].sum()) for split in SPLITS},
        "groups": {split: used.loc[used["split"] == split, "group"].nunique() for split in SPLITS},
        "copies": {split: int(used.loc[used["split"] == split, "augmented"].sum()) for split in SPLITS},
        "per_class": {split: {code: int(sizes.loc[split, code]) for code in CODES} for split in SPLITS},
        "leaked_images": {split: int(rows.sum()) for split, rows in leaked.items()},
        "leaked_fraction": {split: round(float(rows.mean()), 4) for split, rows in leaked.items()},
    }


def refuse_leaks(table: pd.DataFrame) -> None:
    """Raise a UserError if a group of validation or test stands in train, or in both."""
    sides = table[table["split"] != "unused"].groupby("group")["split"].nunique()
    shared = list(sides[sides > 1].index)
    if shared:
        raise UserError(
            f"{len(shared)} lesions stand on two sides of the split: {listing(shared)}. "
            "Protocol lesion forbids that; please report it as a defect, with params.yaml"
        )
