"""Download: fetch HAM10000, or draw the synthetic sample, into data/raw in the layout of HAM10000."""

from skinlesion.download.sources import SOURCES
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder


def main() -> None:
    settings = params.load()
    with replace_folder(paths.RAW) as target:
        SOURCES[settings.data.source](target, settings.data)
    images = sum(1 for _ in paths.RAW.glob("*/*.jpg"))
    print(f"download: {paths.RAW} has {images} images from {settings.data.source}")


if __name__ == "__main__":
    run(main, "download")
