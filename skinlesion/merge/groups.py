"""Groups: lesions, joined where two lesion ids are known to be one. No group stands on two sides of an honest split."""

from pathlib import Path

import pandas as pd

from skinlesion.runtime.errors import UserError


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read a list of known duplicates: CSV with image_id_1 and image_id_2, `#` before comments."""
    try:
        pairs = pd.read_csv(path, comment="#", dtype=str)[["image_id_1", "image_id_2"]]
    except FileNotFoundError:
        raise UserError(f"data.duplicates names {path}, which is missing; null joins no pairs") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} must be a CSV with the columns image_id_1 and image_id_2: {error}") from None
    return list(pairs.itertuples(index=False, name=None))


def join(lesion_of: pd.Series, pairs: list[tuple[str, str]]) -> tuple[pd.Series, int]:
    """Give every image its group: its lesion, or the first id of the lesions that `pairs` join to it.

    Args:
        lesion_of: lesion_id by image_id.
        pairs: two image ids each that show one lesion; pairs with an image not in the data are passed over.

    Returns:
        group by image_id, and the number of pairs that joined images.
    """
    parent = {lesion: lesion for lesion in lesion_of}

    def root(lesion: str) -> str:
        while parent[lesion] != lesion:
            parent[lesion] = lesion = parent[parent[lesion]]
        return lesion

    present = [pair for pair in pairs if pair[0] in lesion_of.index and pair[1] in lesion_of.index]
    for pair in present:
        first, second = sorted(root(lesion_of[image]) for image in pair)
        parent[second] = first
    return lesion_of.map(root), len(present)
