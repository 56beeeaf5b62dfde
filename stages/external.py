"""External: bring a second labelled set, resized as merge does; evaluate scores it beside the test split."""

from contextlib import ExitStack

from skinlesion.core import tables
from skinlesion.external.prepare import prepare
from skinlesion.external.sources import SOURCES
from skinlesion.near_duplicates.pairs import list_pairs
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder


def main() -> None:
    settings = params.load()
    with ExitStack() as stack, replace_folder(paths.EXTERNAL) as target:
        merged = tables.read(paths.METADATA)
        labelled = SOURCES[settings.external.source](settings.external, settings.data.sample_seed, stack)
        table = prepare(labelled, merged, target, settings.images)
        pairs = list_pairs(target / "images", table["image_id"], paths.MERGED_IMAGES, merged["image_id"])
        tables.write(target / paths.EXTERNAL_PAIRS.name, pairs, float_format="%.3f")
    counts = ", ".join(f"{dx} {images}" for dx, images in table["dx"].value_counts().sort_index().items())
    print(f"external: {len(table)} images from {settings.external.source}" + (f" ({counts})" if counts else ""))
    if len(pairs):
        copies = pairs["image_id_1"].nunique()
        print(f"external: {copies} images are near copies of HAM10000's; evaluate leaves out those of training images")


if __name__ == "__main__":
    run(main, "external")
