"""The sources of the external set, one row per value of `external.source`; no other source replaces one that fails."""

from collections.abc import Callable
from contextlib import ExitStack

from skinlesion.external import challenge, dataverse, labelled, sample
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.params.sections import External

# From the section `external`, data.sample_seed, and a stack that closes the files that a set reads its images from.
SOURCES: dict[str, Callable[[External, int, ExitStack], LabelledSet]] = {
    "none": lambda external, seed, stack: labelled.empty(),
    "sample": lambda external, seed, stack: sample.make(seed),
    "isic2018": lambda external, seed, stack: challenge.read(dataverse.download(), stack),
    "archive": lambda external, seed, stack: challenge.read(external.archive.expanduser(), stack),
}
