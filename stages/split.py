"""Split: assign every image to train, validation, test or unused, and count the images that leak."""

from skinlesion.core import tables
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import write_json
from skinlesion.split.assign import assign, refuse_leaks, summary


def main() -> dict:
    settings = params.load()
    table = assign(tables.read(paths.MANIFEST), settings.split)
    if settings.split.protocol == "lesion":
        refuse_leaks(table)
    metrics = summary(table, settings.split.protocol)
    tables.write(paths.SPLITS, table)
    write_json(paths.SPLIT_METRICS, metrics)
    sizes = ", ".join(f"{split} {count}" for split, count in metrics["images"].items())
    print(
        f"split: protocol {metrics['protocol']}: {sizes}; {metrics['leaked_images']['test']} test images "
        f"({metrics['leaked_fraction']['test']:.0%}) have a sibling in train"
    )
    return metrics


if __name__ == "__main__":
    run(main, "split")
