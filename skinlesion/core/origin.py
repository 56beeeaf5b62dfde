"""Where the shown data come from, in words: the same ones on every picture."""

SAMPLE = "Synthetic sample, drawn by code: not HAM10000"
ORIGINS = {"sample": SAMPLE}


def title(source: str) -> str:
    """What a picture of the images of `data.source` says of them."""
    return ORIGINS.get(source, f"HAM10000 ({source})")
