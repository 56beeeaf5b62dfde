"""All checks of the machine, in order. No check changes anything, needs the network, or reads a secret."""

from collections.abc import Callable, Iterator

from skinlesion.commands.doctor import software, source, training
from skinlesion.commands.doctor.software import Finding
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError

SOFTWARE: dict[str, Callable[[], Finding]] = {"packages": software.check_packages, "Git": software.check_git}
CONFIGURED: dict[str, Callable[[params.Params], Finding]] = {
    "device": training.check_device,
    "weights": training.check_weights,
    "data": source.check_data,
    "external": source.check_external,
    "disk": source.check_disk,
}


def check_all() -> Iterator[tuple[str, Finding]]:
    """Run every check; those of CONFIGURED only where params.yaml is valid."""
    for name, check in SOFTWARE.items():
        yield name, run_check(check)
    try:
        settings = params.read_params()
    except UserError as error:
        yield "params", Finding("problem", str(error), "Correct params.yaml, then run skinlesion doctor again")
        return
    yield "params", Finding("ok", f"{settings.model.backbone}, configuration {settings.model.configuration}")
    for name, check in CONFIGURED.items():
        yield name, run_check(check, settings)


def find_missing() -> list[Finding]:
    """Find which weights and data a run with params.yaml needs and this machine lacks.

    Raises UserError if params.yaml is missing or wrong.
    """
    settings = params.read_params()
    checks = (training.check_weights, source.check_data, source.check_external)
    findings = [run_check(check, settings) for check in checks]
    return [finding for finding in findings if finding.state == "problem"]


def run_check(check: Callable[..., Finding], *settings: params.Params) -> Finding:
    """Run a check; an error is named by its type alone, since its message may contain a secret."""
    try:
        return check(*settings)
    except UserError as error:
        return Finding("problem", str(error))
    except Exception as error:
        return Finding("note", f"could not be checked ({type(error).__name__})", "The pipeline may still run")
