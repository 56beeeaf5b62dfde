"""Download: bring HAM10000, or the synthetic sample, into data/raw in HAM10000's own layout."""

from skinlesion import params, paths
from skinlesion.data.sources import fetch
from skinlesion.files import replace_folder
from skinlesion.stage import run


def main() -> None:
    settings = params.load()
    with replace_folder(paths.RAW) as target:
        fetch(target, settings.data)
    images = sum(1 for _ in paths.RAW.glob("*/*.jpg"))
    print(f"download: {images} images from {settings.data.source} in {paths.RAW}")


if __name__ == "__main__":
    run(main, "download")
