"""Merge: join the image parts with the metadata; resize every image once."""

import sys

from skinlesion.core import tables
from skinlesion.core.parallel import use_cluster
from skinlesion.merge.merge import find_near_pairs, merge
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder, write_json


def main() -> dict:
    settings = params.load()
    with replace_folder(paths.MERGED) as target:
        with use_cluster():
            table, metrics = merge(paths.RAW, target.absolute(), settings.data, settings.images)
        pairs = find_near_pairs(table, target.absolute() / "images")
    tables.write(paths.NEAR_PAIRS, pairs, float_format="%.3f")
    write_json(paths.DATA_METRICS, metrics)
    if classes := metrics["classes_without_images"]:
        print(
            f"merge: warning: classes without an image: {', '.join(classes)}. No model can learn them", file=sys.stderr
        )
    print(
        f"merge: {metrics['images']} images of {metrics['groups']} lesions, "
        f"{metrics['duplicate_pairs_joined']} pairs of lesion ids joined as one lesion, "
        f"{metrics['damaged_images_skipped']} damaged images skipped"
    )
    return metrics


if __name__ == "__main__":
    run(main, "merge")
