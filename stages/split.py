"""Split: assign every image to train, validation, test or unused; count images that leak, and near duplicates."""

from skinlesion.core import tables
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import write_json
from skinlesion.split import audit
from skinlesion.split.assign import assign, refuse_leaks, summary


def main() -> dict:
    settings = params.load()
    table = assign(tables.read(paths.MANIFEST), settings.split)
    if settings.split.protocol == "lesion":
        refuse_leaks(table)
    pairs = audit.list_near_duplicates(tables.read(paths.NEAR_PAIRS), table)
    near = audit.count(pairs)
    metrics = {**summary(table, settings.split.protocol), "near_duplicates": near}
    tables.write(paths.SPLITS, table)
    tables.write(paths.NEAR_DUPLICATES, pairs, float_format="%.3f")
    write_json(paths.SPLIT_METRICS, metrics)
    unused = int((table["split"] == "unused").sum())
    sizes = ", ".join(f"{split} {count}" for split, count in {**metrics["images"], "unused": unused}.items())
    print(
        f"split: protocol {metrics['protocol']}: {sizes}; {metrics['leaked_images']['test']} test images "
        f"({metrics['leaked_fraction']['test']:.0%}) leak"
    )
    across = sum(near.values()) - near["pairs"]
    print(f"split: {near['pairs']} pairs of near-identical images under two lesion ids, {across} of them across splits")
    if across and settings.split.protocol == "lesion":
        print(
            f"split: warning: near-identical images are in two splits: see {paths.NEAR_DUPLICATES}. If they show one "
            "lesion, add the pairs to a copy of a file in presets/duplicates and name it as data.duplicates"
        )
    return metrics


if __name__ == "__main__":
    run(main, "split")
