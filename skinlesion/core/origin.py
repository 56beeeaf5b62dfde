"""The name of a data source, `data.source`, in titles of plots."""

SAMPLE = "Synthetic sample, drawn by code: not HAM10000"


def title(source: str) -> str:
    return SAMPLE if source == "sample" else f"HAM10000 ({source})"
