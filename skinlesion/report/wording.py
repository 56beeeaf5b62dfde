"""Sentences and names that the page and the model card share."""

from skinlesion.core.ham10000 import NAMES
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import Estimate, count, missing, number

ON_SAMPLE = (
    "It shows that the pipeline works. Its results say nothing about skin lesions and cannot be compared with "
    "published ones."
)
PROTOCOLS = {
    "lesion": "all images of a lesion are in one split",
    "image": "leaks, as in published systems",
}
PROTOCOLS_AT_LENGTH = {
    "lesion": (
        "Lesions are split, so all images of a lesion are in the same split. Validation and test contain all their "
        "original images at natural class frequencies, and no augmented copies."
    ),
    "image": (
        "Images are split without regard to lesions, so images of one lesion are in both training and test. This "
        "repeats the protocol of published systems."
    ),
}
BALANCED_TEST = (
    "Augmented copies are split too, and the test split is balanced, so natural probabilities and the decision curve "
    "do not suit it."
)
MEASURES = {
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "roc_auc_macro": "ROC-AUC, macro",
    "precision_macro": "Precision, macro",
    "average_precision_macro": "Average precision, macro",
    "malignant_roc_auc": "ROC-AUC, malignant against benign",
    "aurc": "Area under the risk-coverage curve",
    "brier": "Brier score (0 to 2)",
    "calibration_error": "Expected calibration error",
}
SETS = {"test": "the test split", "external": "the external set"}
EXTERNAL_SETS = {
    "sample": "A second synthetic set, drawn as if by another camera",
    "isic2018": "The official test set of ISIC 2018, task 3, in part from the clinics of HAM10000",
    "archive": "The labelled set in external.archive",
}
NO_PATIENTS = (
    "The data have no patient ids: two lesions of one patient may be in training and test, which flatters the scores."
)
OTHER_INTERVALS = (
    "A proportion that is the same in every draw, such as 0 or 1, has Wilson's interval, over lesions; any other such "
    "metric has none. The intervals of balanced accuracy and macro F1 are too narrow where a class has fewer than five "
    "lesions in test."
)
# Strata of plots/evaluate/leaks.csv: test images that leak, and the others.
WITH, WITHOUT = "with a sibling in train", "without"


def name_class(code: str) -> str:
    """Name a diagnosis with its code, as `melanoma (mel)`."""
    return f"{NAMES[code]} ({code})"


def name_measure(name: str) -> str:
    """Name a metric of metrics/test.json or of a table for people."""
    return MEASURES.get(name, name.replace("_", " ").capitalize())


def name_dataset(inputs: Inputs) -> str:
    return "the synthetic sample" if inputs.source == "sample" else "HAM10000"


def read_estimate(inputs: Inputs, name: str, on: str = "test") -> Estimate:
    """Read a metric of the set `on` (test or external) with its interval."""
    figures = inputs.metrics[on]
    intervals = inputs.metrics["intervals"] if on == "test" else figures.get("intervals", {})
    interval = intervals.get(name, {})
    return Estimate(figures.get(name), interval.get("low"), interval.get("high"))


def name_protocol(protocol: str | None) -> str:
    """Name a protocol with what it means; `unknown` if it is none of ours."""
    return f"{protocol}: {PROTOCOLS[protocol]}" if protocol in PROTOCOLS else "unknown"


def describe_protocol(inputs: Inputs) -> str:
    """Say what the split keeps together, and whether the test images are balanced."""
    balanced = inputs.protocol == "image" and inputs.params["balance"]["per_class"] is not None
    return " ".join([PROTOCOLS_AT_LENGTH[inputs.protocol], *([BALANCED_TEST] if balanced else [])])


def describe_decision(inputs: Inputs) -> str:
    """Say what sets these metrics apart from what predict gives; empty if nothing does."""
    settings = inputs.params["evaluate"]
    views = f"Probabilities are means over {settings['tta']} views of each image." if settings["tta"] > 1 else ""
    if settings["decision"] == "raw":
        return views
    rule = (
        f"These metrics use the decision rule `{settings['decision']}` of evaluate. `skinlesion predict` and Python do "
        "not: they name rare classes, melanoma among them, less often. After the rule, log loss, Brier score and "
        "calibration error are not those of calibrated probabilities: see Calibration."
    )
    return f"{rule} {views}".strip()


def describe_external(inputs: Inputs) -> str:
    """Say what the external set is, how many images were scored, and how many were left out."""
    external = inputs.metrics["external"]
    if external["source"] == "none":
        return "No external set was scored (external.source: none)."
    copies = external["near_copies_left_out"]
    left_out = f" {count(copies)} near copies of training images were left out." if copies else ""
    by = f" Intervals are by {external['intervals_by']}." if external["images"] else ""
    return f"{EXTERNAL_SETS[external['source']]}: {count(external['images'])} images.{left_out}{by}"


def count_leaked(inputs: Inputs) -> int:
    """Count test images that leak: a sibling of theirs is in train."""
    return int(inputs.tables["leaks"].set_index("stratum").loc[WITH, "images"])


def describe_leaks(inputs: Inputs) -> str:
    """Say how many test images leak, and compare their scores with those of the others."""
    rows, leaked = inputs.tables["leaks"].set_index("stratum").to_dict("index"), count_leaked(inputs)
    total, clean = int(rows["all"]["images"]), int(rows[WITHOUT]["images"])
    line = f"{count(leaked)} of {count(total)} test images ({leaked / total:.0%}) leak:"
    if not leaked:
        return f"{line} no copy, and no other image of their lesions, is in training."
    line += (
        " a copy, or another image of the same lesion, is in training. For a score on new lesions, run with "
        "split.protocol: lesion."
    )
    if not clean:
        return line
    scores = [rows[stratum]["balanced_accuracy"] for stratum in (WITH, WITHOUT)]
    if any(map(missing, scores)):
        return f"{line} They share no class with the other images, so there are no scores to compare."
    classes = rows[WITHOUT]["classes"]
    over = "" if classes == rows["all"]["classes"] else f" over the classes of both ({classes.replace(' ', ', ')})"
    first, second = map(number, scores)
    scored = f"Balanced accuracy{over}: {first} of those that leak, {second} of the {count(clean)} others."
    return f"{line} {scored} The two groups are different lesions, so this difference does not measure leakage."


def describe_near_duplicates(inputs: Inputs) -> str:
    """Say how many near-identical images there are under two lesion ids, and how many pairs are in two splits."""
    near = inputs.metrics["split"]["near_duplicates"]
    across = sum(near.values()) - near["pairs"]
    return (
        f"Near duplicates: {count(near['pairs'])} pairs of near-identical images under two lesion ids, of which "
        f"{count(across)} are in two splits ({count(near['train_test'])} in train and test)."
    )


def name_absent_classes(inputs: Inputs) -> str:
    """Name the classes without test images; empty if there are none."""
    classes = inputs.tables["classes"]
    codes = classes.loc[classes["support"] == 0, "dx"].unique()
    listed = ", ".join(NAMES[code] for code in codes)
    return (
        f"Not in the test split, so without metrics of their own and left out of macro averages: {listed}."
        if listed
        else ""
    )


def describe_system(inputs: Inputs) -> str:
    """Describe the model in one line, as `resnet18 from imagenet weights, head gap, images of 128 px`."""
    model, side = inputs.params["model"], inputs.params["images"]["size"]
    attention = "" if model["attention"] == "none" else f", attention {model['attention']}"
    weights = model["weights"] or "random"
    return f"{model['backbone']} from {weights} weights{attention}, head {model['head']}, images of {side} px"


def list_facts(inputs: Inputs) -> dict[str, str]:
    """List how the result was made: name -> value."""
    params = inputs.params
    train, split, data = (inputs.metrics[name] for name in ("train", "split", "data"))
    sizes = ", ".join(f"{name} {count(images)}" for name, images in split["images"].items())
    return {
        "Code last changed in commit": inputs.commit,
        "Seed": str(params["seed"]),
        "Data": f"{name_dataset(inputs)}: {count(data['images'])} images of {count(data['groups'])} lesions",
        "Split": f"by {name_protocol(inputs.protocol)}; images: {sizes}",
        "Model": f"{describe_system(inputs)}; {count(train['parameters'])} parameters",
        "Training": (
            f"configuration {params['model']['configuration']}, {train['epochs']} epochs, best epoch "
            f"{train['best_epoch']}; on {train['device']} in {train['precision']} (CPU: {train['processor']})"
        ),
        "Evaluation": (
            f"decision {params['evaluate']['decision']}; views of each image: {params['evaluate']['tta']}; intervals "
            f"from {count(params['evaluate']['bootstrap'])} bootstrap draws of lesions"
        ),
        "Versions when this was written": ", ".join(f"{name} {version}" for name, version in inputs.versions.items()),
    }
