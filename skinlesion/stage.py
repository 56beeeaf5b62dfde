"""What every stage's entry point needs: help, clear errors, an exit code, and the time it took."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from skinlesion import paths, verbose
from skinlesion.errors import UserError, in_words
from skinlesion.files import write_json


def run(main: Callable[[], object], name: str) -> None:
    """Run a stage's `main`: a UserError becomes its message and exit code 1; wall time goes to metrics/timing.json.

    -h prints help, and an unknown word is refused with exit code 2, before `main` is called: what is slow to import, as
    Keras is, a stage imports there.
    """
    verbose.note(Parser(sys.modules[main.__module__], name).parse_args())
    start = time.perf_counter()
    try:
        main()
        record_time(name, time.perf_counter() - start)
    except (UserError, OSError) as error:
        if verbose.asked():
            traceback.print_exc()
        sys.exit(f"{name}: {in_words(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted; nothing was left half-written")


class Parser(argparse.ArgumentParser):
    """The command line of a stage: of its docstring, and of what dvc.yaml says that it uses."""

    def __init__(self, script: ModuleType, name: str) -> None:
        super().__init__(prog=f"python -m stages.{name}", description=script.__doc__)
        self.script, self.name = script, name
        verbose.add(self)

    def format_help(self) -> str:
        import yaml

        pipeline = Path(self.script.__file__).parents[1] / "dvc.yaml"
        used = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"][self.name]["params"]
        self.epilog = f"It uses of params.yaml: {', '.join(used)}."
        return super().format_help()


def record_time(name: str, seconds: float) -> None:
    """Note a stage's wall time in seconds. Not a DVC output: it differs between equal runs, and no run fails for it."""
    try:
        times = json.loads(paths.TIMING.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        times = {}
    try:
        write_json(paths.TIMING, {**(times if isinstance(times, dict) else {}), name: round(seconds, 1)})
    except (UserError, OSError) as error:
        print(f"{name}: its time was not noted: {error}", file=sys.stderr)
