"""Balance: every class to balance.per_class images, by sampling and by augmented copies; a sheet of copies."""

import pandas as pd

from skinlesion.balance import copies
from skinlesion.balance.plan import make_copies, plan
from skinlesion.core import origin, tables
from skinlesion.core.parallel import use_cluster
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder
from skinlesion.sheets import sheet


def main() -> pd.DataFrame:
    settings = params.load()
    table = tables.read(paths.METADATA)
    manifest = plan(table, paths.MERGED_IMAGES, paths.BALANCED / "images", settings.balance)
    with replace_folder(paths.BALANCED) as target:
        with use_cluster():
            make_copies(manifest, target.absolute(), paths.BALANCED)
        tables.write(target / paths.MANIFEST.name, manifest)
    shown = copies.choose(manifest)
    with replace_folder(paths.BALANCE_PLOTS) as target:
        title = f"Copies beside their originals. {origin.title(settings.data.source)}"
        sheet.write(copies.rows(shown), target / "copies.png", title, copies.NONE if shown.empty else copies.NOTE)
    chosen = manifest[manifest["balanced"]]
    per_class = ", ".join(f"{code} {count}" for code, count in chosen["dx"].value_counts().sort_index().items())
    print(f"balance: {len(chosen)} rows, {chosen['augmented'].sum()} of them copies ({per_class})")
    return manifest


if __name__ == "__main__":
    run(main, "balance")
