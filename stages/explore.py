"""Explore: counts by class, age, sex and site, and a sheet of sample images."""

from skinlesion.core import origin, tables
from skinlesion.explore import counts
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder
from skinlesion.sheets import sheet


def main() -> None:
    settings = params.load()
    metadata = tables.read(paths.METADATA)
    with replace_folder(paths.EXPLORE_PLOTS) as target:
        for name, table in counts.tables(metadata).items():
            tables.write(target / f"{name}.csv", table)
        rows = counts.rows_of_images(metadata, paths.MERGED_IMAGES)
        sheet.write(rows, target / "samples.png", origin.title(settings.data.source))
    print(f"explore: {len(metadata)} images described in {paths.EXPLORE_PLOTS}")


if __name__ == "__main__":
    run(main, "explore")
