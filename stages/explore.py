"""Explore: counts by class, age, sex and site, and a sheet of sample images."""

from skinlesion import params, paths
from skinlesion.data import explore, images, tables
from skinlesion.files import replace_folder
from skinlesion.stage import run

TITLES = {"sample": "Synthetic sample, drawn by code: not HAM10000"}


def main() -> None:
    settings = params.load()
    metadata = tables.read(paths.METADATA)
    with replace_folder(paths.EXPLORE_PLOTS) as target:
        for name, table in explore.tables(metadata).items():
            tables.write(target / f"{name}.csv", table)
        title = TITLES.get(settings.data.source, f"HAM10000 ({settings.data.source})")
        images.sheet(explore.rows_of_images(metadata, paths.MERGED_IMAGES), target / "samples.png", title)
    print(f"explore: {len(metadata)} images described in {paths.EXPLORE_PLOTS}")


if __name__ == "__main__":
    run(main, "explore")
