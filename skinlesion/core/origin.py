"""The name of a data source in titles of plots."""

SAMPLE = "Synthetic sample, drawn by code: not HAM10000"
ORIGINS = {"sample": SAMPLE}


def title(source: str) -> str:
    """Return the title of plots of images from `data.source`."""
    return ORIGINS.get(source, f"HAM10000 ({source})")
