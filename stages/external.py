"""External: bring a second labelled set, resized as merge does; evaluate scores it beside the test split."""

from contextlib import ExitStack

from skinlesion.core import tables
from skinlesion.external.bring import bring
from skinlesion.external.sources import SOURCES
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder


def main() -> None:
    settings = params.load()
    with ExitStack() as stack, replace_folder(paths.EXTERNAL) as target:
        labelled = SOURCES[settings.external.source](settings, stack)
        table = bring(labelled, tables.read(paths.METADATA), target, settings.images)
    counts = ", ".join(f"{dx} {images}" for dx, images in table["dx"].value_counts().sort_index().items())
    print(f"external: {len(table)} images from {settings.external.source}" + (f" ({counts})" if counts else ""))


if __name__ == "__main__":
    run(main, "external")
