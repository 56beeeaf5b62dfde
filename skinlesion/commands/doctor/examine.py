"""Whether this machine can run the pipeline as params.yaml configures it.

No check changes anything, needs the network, or reads a secret.
"""

from collections.abc import Callable, Iterator

from skinlesion.commands.doctor import compute, credentials, raw_data, software, weights
from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError

MACHINE: dict[str, Callable[[], Finding]] = {
    "Python": software.python,
    "packages": software.packages,
    "Git": software.git,
    "DVC cache": software.cache,
    "Keras": compute.backend,
}
RUN: dict[str, Callable[[params.Params], Finding]] = {
    "device": compute.device,
    "data": raw_data.source,
    "Kaggle": credentials.credentials,
    "weights": weights.weights,
    "disk": raw_data.disk,
}


def examine() -> Iterator[tuple[str, Finding]]:
    """Name and finding of every check, in order; those of RUN only where params.yaml can be read."""
    for name, check in MACHINE.items():
        yield name, careful(check)
    try:
        settings = params.load()
    except UserError as error:
        yield "params", problem(str(error), "Correct params.yaml; then the checks that depend on it follow")
        return
    yield "params", ok(f"{settings.model.backbone}, configuration {settings.model.configuration}")
    for name, check in RUN.items():
        yield name, careful(check, settings)


def careful(check: Callable[..., Finding], *settings: params.Params) -> Finding:
    """A check's finding; one that fails itself is a note, without the error's words, as these may quote anything."""
    try:
        return check(*settings)
    except Exception as error:
        return note(f"could not be checked ({type(error).__name__})", "The pipeline may run all the same")
