"""The sources of the external set, one row per value of `external.source`; no other source replaces one that fails."""

from collections.abc import Callable
from contextlib import ExitStack

from skinlesion.external import challenge, dataverse, labelled, sample
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.params import Params

# `stack` closes the files that a set reads its images from.
SOURCES: dict[str, Callable[[Params, ExitStack], LabelledSet]] = {
    "none": lambda params, stack: labelled.empty(),
    "sample": lambda params, stack: sample.make(params.data.sample_seed),
    "isic2018": lambda params, stack: challenge.read(dataverse.download(), stack),
    "archive": lambda params, stack: challenge.read(params.external.archive.expanduser(), stack),
}
