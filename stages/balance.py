"""Balance: every class to balance.per_class images, by sampling and by augmented copies."""

import pandas as pd

from skinlesion import params, paths
from skinlesion.data import tables
from skinlesion.data.balance import make_copies, plan
from skinlesion.files import replace_folder
from skinlesion.stage import run


def main() -> pd.DataFrame:
    settings = params.load()
    table = tables.read(paths.METADATA)
    manifest = plan(table, paths.MERGED_IMAGES, paths.BALANCED / "images", settings.seed, settings.balance)
    with replace_folder(paths.BALANCED) as target:
        make_copies(manifest, target, paths.BALANCED)
        tables.write(target / paths.MANIFEST.name, manifest)
    chosen = manifest[manifest["balanced"]]
    per_class = ", ".join(f"{code} {count}" for code, count in chosen["dx"].value_counts().sort_index().items())
    print(f"balance: {len(chosen)} rows, {chosen['augmented'].sum()} of them copies ({per_class})")
    return manifest


if __name__ == "__main__":
    run(main, "balance")
