"""What a result is called, in words: the same ones on the page and on the model card."""

from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import Estimate, count, missing, number

NAMES = {diagnosis.code: diagnosis.name for diagnosis in DIAGNOSES}
ON_SAMPLE = (
    "It shows that the chain works. Its figures say nothing about skin and cannot be compared with published ones."
)
PROTOCOLS = {
    "lesion": "lesion: no lesion stands on two sides",
    "image": "image: leaks, as published systems did",
}
PROTOCOLS_AT_LENGTH = {
    "lesion": (
        "Lesions are split, so that all images of a lesion stand on one side. Validation and test hold every original "
        "image of theirs, at natural class frequencies, and no augmented copy."
    ),
    "image": (
        "Images are split whatever lesion they show, augmented copies too, so that views and copies of one lesion are "
        "in both training and test. This is there to repeat published figures; a figure for new patients needs a run "
        "with split.protocol: lesion. The test split is balanced, too: probabilities corrected to natural class "
        "frequencies, and with them the decision curve, do not fit it."
    ),
}
MEASURES = {
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "roc_auc_macro": "ROC-AUC, macro",
    "precision_macro": "Precision, macro",
    "average_precision_macro": "Average precision, macro",
    "malignant_roc_auc": "ROC-AUC, malignant against benign",
    "brier": "Brier score (0 to 2)",
    "calibration_error": "Expected calibration error",
}
VALUES = {  # of dx_type
    "histo": "histopathology",
    "follow_up": "follow-up",
    "consensus": "expert consensus",
    "confocal": "confocal microscopy",
}
WITH, WITHOUT = "with a sibling in train", "without"


def named(code: str) -> str:
    """A diagnosis in words with its code, as `melanoma (mel)`."""
    return f"{NAMES[code]} ({code})"


def measure(name: str) -> str:
    """A measure's name for people."""
    return MEASURES.get(name, name.replace("_", " ").capitalize())


def dataset(inputs: Inputs) -> str:
    return "the synthetic sample" if inputs.source == "sample" else "HAM10000"


def title(inputs: Inputs) -> str:
    return f"Skin-lesion classification on {dataset(inputs)}"


def estimate(inputs: Inputs, name: str) -> Estimate:
    """A figure of metrics/test.json with its interval."""
    interval = inputs.metrics["intervals"].get(name, {})
    return Estimate(inputs.metrics["test"].get(name), interval.get("low"), interval.get("high"))


def strata(inputs: Inputs) -> dict[str, dict[str, float]]:
    """The rows of leaks.csv by stratum."""
    return inputs.tables["leaks"].set_index("stratum").to_dict("index")


def leaked(inputs: Inputs) -> int:
    """How many test images have a sibling in train."""
    return int(strata(inputs)[WITH]["images"])


def leak_line(inputs: Inputs) -> str:
    """How many test images have a sibling in train, and the score with and without them."""
    rows, leaking = strata(inputs), leaked(inputs)
    total, clean = int(rows["all"]["images"]), int(rows[WITHOUT]["images"])
    if not leaking:
        return f"No test image has a sibling in train: 0 of {count(total)}."
    line = (
        f"{count(leaking)} of {count(total)} test images ({leaking / total:.0%}) have a sibling in train: a copy, or "
        "another image of the same lesion."
    )
    if missing(rows[WITHOUT]["balanced_accuracy"]):
        return f"{line} None without one is left to compare them with."
    classes = rows[WITHOUT]["classes"]
    over = (
        "" if classes == rows["all"]["classes"] else f", over the classes that both have ({classes.replace(' ', ', ')})"
    )
    scores = [number(rows[stratum]["balanced_accuracy"]) for stratum in (WITH, WITHOUT)]
    return f"{line} Balanced accuracy{over}: {scores[0]} with a sibling, {scores[1]} without ({count(clean)} images)."


def absent(inputs: Inputs) -> str:
    """Which classes have no test image, so that no figure counts them; empty where all have some."""
    classes = inputs.tables["classes"]
    codes = classes.loc[classes["support"] == 0, "dx"].unique()
    if not len(codes):
        return ""
    return f"Not in the test split, and so in no figure: {', '.join(NAMES[code] for code in codes)}."


def system(inputs: Inputs) -> str:
    """The model in one line, as `resnet18 from imagenet weights, head gap, images of 128 px`."""
    model, side = inputs.params["model"], inputs.params["images"]["size"]
    weights = f"{model['weights']} weights" if model["weights"] else "random weights"
    attention = "" if model["attention"] == "none" else f", attention {model['attention']}"
    return f"{model['backbone']} from {weights}{attention}, head {model['head']}, images of {side} px"


def facts(inputs: Inputs) -> dict[str, str]:
    """How the result was made, as name -> value."""
    train, split, data = (inputs.metrics[name] for name in ("train", "split", "data"))
    sizes = ", ".join(f"{name} {count(images)}" for name, images in split["images"].items())
    return {
        "Commit of the code": inputs.made.commit,
        "Seed": str(inputs.params["seed"]),
        "Data": f"{dataset(inputs)}: {count(data['images'])} images of {count(data['groups'])} lesions",
        "Split by": f"{PROTOCOLS[inputs.protocol]}; images: {sizes}",
        "Model": f"{system(inputs)}; {count(train['parameters'])} parameters",
        "Training": (
            f"configuration {inputs.params['model']['configuration']}, {train['epochs']} epochs, the best is "
            f"{train['best_epoch']}; on {train['device']} in {train['precision']} (CPU: {train['processor']})"
        ),
        "Evaluation": (
            f"views of each image: {inputs.params['evaluate']['tta']}; intervals from "
            f"{count(inputs.params['evaluate']['bootstrap'])} draws of lesions"
        ),
        "Versions": ", ".join(f"{name} {version}" for name, version in inputs.made.versions.items()),
    }
