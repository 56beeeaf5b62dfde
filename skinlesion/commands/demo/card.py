"""The model's card, as the page shows it."""

from pathlib import Path

import yaml

from skinlesion.runtime.paths import MODEL_CARD

ABSENT = "The model has no card yet: `dvc repro report` writes it."
SYNTHETIC = "synthetic-sample"  # the card's word for the data set that the repository draws


def text(model: Path) -> str:
    """The card beside the model file as Markdown, without the front matter that hubs read."""
    return parts(model)[1].strip() or ABSENT


def synthetic(model: Path) -> bool:
    """Whether the card says that the model was trained on the synthetic sample."""
    front = yaml.safe_load(parts(model)[0])
    return isinstance(front, dict) and SYNTHETIC in (front.get("datasets") or [])


def parts(model: Path) -> tuple[str, str]:
    """Front matter and body of the card; both empty where there is none."""
    path = model.with_name(MODEL_CARD.name)
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not card.startswith("---\n"):
        return "", card
    front, _, body = card.removeprefix("---\n").partition("\n---\n")
    return front, body
