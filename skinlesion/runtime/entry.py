"""What every stage's entry point needs: help, clear errors, an exit code, and the time it took."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from skinlesion.runtime import verbose
from skinlesion.runtime.errors import UserError, in_words


def run(main: Callable[[], object], name: str) -> None:
    """Run a stage's `main`: a UserError becomes its message and exit code 1; at the end its wall time is printed.

    -h prints help, and an unknown word is refused with exit code 2, before `main` is called: what is slow to import, as
    Keras is, a stage imports there.
    """
    verbose.note(Parser(sys.modules[main.__module__], name).parse_args())
    start = time.perf_counter()
    try:
        main()
        print(f"{name}: {time.perf_counter() - start:.1f} s")
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
        files = {"params.yaml": [entry for entry in used if isinstance(entry, str)]}
        for entry in used:
            files |= entry if isinstance(entry, dict) else {}
        self.epilog = "\n".join(f"It uses of {file}: {', '.join(keys)}." for file, keys in files.items())
        return super().format_help()
