"""The result of one check of the machine."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """`problem`: the pipeline as configured cannot run; `note`: it runs, but the remedy improves something."""

    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""
