"""Split: assign images to train, validation and test, and count how many of them leak.

Protocol `lesion` assigns groups, so that no lesion is in two splits; validation and test are originals at their natural
frequencies. Protocol `image` assigns the balanced rows by class alone, as the published systems did: copies and other
images of one lesion are in several splits.
"""

import numpy as np
import pandas as pd

from skinlesion.core.digest import digest
from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.params.sections import Split

SPLITS = ("train", "validation", "test")


def assign(manifest: pd.DataFrame, split_params: Split) -> pd.DataFrame:
    """Add the columns `split` (train, validation, test or unused; stratified by dx) and `leaked` to the manifest.

    Raises:
        UserError: a class has too few lesions (protocol lesion) or images (protocol image) for the splits, or no
            balanced row of a class is in train.
    """
    table = PROTOCOLS[split_params.protocol](manifest, split_params)
    if absent := sorted(set(table["dx"]) - set(table.loc[table["split"] == "train", "dx"])):
        raise UserError(f"No image of {', '.join(absent)} is in train. Raise balance.per_class or split.train")
    return table.assign(leaked=leaks(table))


def by_lesion(manifest: pd.DataFrame, split_params: Split) -> pd.DataFrame:
    originals = manifest[~manifest["augmented"]]
    groups = originals.groupby("group").agg(dx=("dx", "first"), images=("image_id", "size"))
    split = manifest["group"].map(deal(groups.reset_index(names="unit"), split_params, "lesions"))
    # Train has no originals beyond per_class, the others have no copies.
    excluded = np.where(split == "train", ~manifest["balanced"], manifest["augmented"])
    return manifest.assign(split=split.mask(excluded, "unused"))


def by_image(manifest: pd.DataFrame, split_params: Split) -> pd.DataFrame:
    rows = manifest[manifest["balanced"]]
    units = pd.DataFrame({"unit": rows["path"], "dx": rows["dx"], "images": 1})
    return manifest.assign(split=manifest["path"].map(deal(units, split_params, "images")).fillna("unused"))


PROTOCOLS = {"lesion": by_lesion, "image": by_image}


def deal(units: pd.DataFrame, split_params: Split, noun: str) -> pd.Series:
    """Assign the units of each class to splits, so that each split gets its fraction of the images of the class.

    With `folds` each class is first cut into folds, one of which is test; the rest becomes validation and train, in the
    order that begins after the fold. `noun` names the units in a message.

    Args:
        units: unit (an id), dx, images (the number of its images).
    """
    units = units.assign(rank=[digest(split_params.seed, "split", unit) for unit in units["unit"]])
    needed = max(split_params.folds or 0, len(SPLITS))
    parts = []
    for code, members in units.sort_values("rank").groupby("dx"):
        if len(members) < needed:
            fewer = ", set a smaller split.folds" if needed > len(SPLITS) else ""
            raise UserError(
                f"Class {code} has too few {noun} to split: {len(members)}, but {needed} are needed. "
                f"Add {noun}{fewer}, or remove the class from the metadata"
            )
        images = members["images"].to_numpy()
        split = pd.Series("test", index=members["unit"])
        if split_params.folds:
            fold = cut(images, [1 / split_params.folds] * split_params.folds)
            rest = [*np.flatnonzero(fold > split_params.fold), *np.flatnonzero(fold < split_params.fold)]
            if len(rest) < 2:
                left = f"of which fold {split_params.fold} leaves {len(rest)} for validation and train"
                raise UserError(
                    f"Class {code} has too few {noun} to split: {len(members)}, {left}. "
                    f"Add {noun}, or set a larger split.folds"
                )
            validation = split_params.validation / (split_params.validation + split_params.train)
            names = np.array(["validation", "train"])
            split.iloc[rest] = names[cut(images[rest], [validation, 1 - validation])]
        else:
            shares = [split_params.test, split_params.validation, split_params.train]
            split[:] = np.array(["test", "validation", "train"])[cut(images, shares)]
        parts.append(split)
    return pd.concat(parts)


def cut(images: np.ndarray, shares: list[float]) -> np.ndarray:
    """Cut units into parts by `shares`, which sum to 1, of their numbers of `images`; return the part of each unit.

    A unit belongs to the part of its middle image. No part is empty; there are at least as many units as shares.
    """
    part = np.searchsorted(np.cumsum(shares)[:-1], (np.cumsum(images) - images / 2) / images.sum(), side="right")
    last = -1
    for index in range(len(part)):
        units_left = len(part) - index
        part[index] = last = np.clip(part[index], len(shares) - units_left, last + 1)
    return part


def leaks(table: pd.DataFrame) -> pd.Series:
    """Return which rows of validation and test have a sibling (an image of the same group) in train."""
    trained = table.loc[table["split"] == "train", "group"]
    return table["split"].isin(["validation", "test"]) & table["group"].isin(trained)


def summary(table: pd.DataFrame, protocol: str) -> dict:
    """Return the content of metrics/split.json: sizes per split and class, and leaked images."""
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
    """Raise a UserError if a group is in more than one split."""
    splits = table[table["split"] != "unused"].groupby("group")["split"].nunique()
    if shared := list(splits[splits > 1].index):
        raise UserError(
            f"Lesions in more than one split ({len(shared)}): {listing(shared)}. Protocol lesion forbids this. "
            "It is a defect: report it with params.yaml"
        )
