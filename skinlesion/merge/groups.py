"""Groups: lesions, joined where two lesion ids are known to be one. Protocol lesion never splits a group."""

from pathlib import Path

import pandas as pd

from skinlesion.runtime.errors import UserError


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read a list of known duplicates: CSV with image_id_1 and image_id_2, `#` before comments."""
    try:
        pairs = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)[["image_id_1", "image_id_2"]]
    except FileNotFoundError:
        fault = f"data.duplicates is {path}, which is missing"
        raise UserError(f"{fault}. Correct it, or set data.duplicates: null") from None
    except (KeyError, ValueError) as error:
        fault = f"{path} is not a CSV with the columns image_id_1 and image_id_2"
        raise UserError(f"{fault}. Correct it ({error})") from None
    pairs = pairs.apply(lambda column: column.str.strip()).replace("", None)
    if (incomplete := pairs.isna().any(axis=1)).any():
        number = int(incomplete.argmax()) + 1
        raise UserError(f"{path}: pair {number} lacks an id. Give both image ids in each row, or remove the row")
    return list(pairs.itertuples(index=False, name=None))


def join(lesion_of: pd.Series, pairs: list[tuple[str, str]]) -> tuple[pd.Series, int]:
    """Return the group of every image: its lesion, or the first id of the lesions that `pairs` join to it.

    `lesion_of` and the groups are by image_id. Pairs with an image that is not in the data are ignored; the second
    value is the number of the others.
    """
    group_of = lesion_of.copy()
    present = [list(pair) for pair in pairs if pair[0] in lesion_of.index and pair[1] in lesion_of.index]
    for pair in present:
        first, second = sorted(group_of[pair])
        group_of[group_of == second] = first
    return group_of, len(present)
