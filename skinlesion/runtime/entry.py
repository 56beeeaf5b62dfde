"""The entry point of a stage: its help, its messages, its exit code, the time it took."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

from skinlesion.runtime import processes, verbose
from skinlesion.runtime.errors import UserError, describe_error

ROOT = Path(__file__).parents[2]  # of the repository


def run(main: Callable[[], object], name: str) -> None:
    """Run a stage's `main`, then print its wall time; an error becomes its message and exit code 1.

    -h prints help, and an unknown argument is refused with exit code 2, before `main` is called. Slow imports, as of
    Keras, belong in `main`.
    """
    script = sys.modules[main.__module__]
    verbose.parse_arguments(Parser(prog=f"python -m stages.{name}", description=script.__doc__))
    start = time.perf_counter()
    try:
        if is_training := name == "train":
            processes.check()
        with nullcontext() if is_training and processes.index() else hold_lock(name):  # process 0 alone writes
            main()
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    except (UserError, OSError) as error:
        if verbose.asked():
            traceback.print_exc()
        leave(f"{name}: {describe_error(error)}")
    except KeyboardInterrupt:
        leave(f"{name}: interrupted; nothing was left half-written")
    except Exception:
        if processes.count() == 1:
            raise
        leave(traceback.format_exc())


def leave(message: str) -> NoReturn:
    """Print `message` and exit with code 1.

    One of several processes exits without Python's clean-up, in which JAX waits minutes for processes that are lost.
    """
    if processes.count() == 1:
        sys.exit(message)
    print(message, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)


@contextmanager
def hold_lock(name: str) -> Iterator[None]:
    """Hold the lock of a stage in a DVC repository, since a stage outlives a killed dvc and DVC's own lock.

    Raises UserError if another run of the stage holds it.
    """
    if not Path(".dvc").is_dir():
        yield
        return
    from zc.lockfile import LockError, SimpleLockFile

    path = Path(".dvc/tmp") / f"stage-{name}.lock"
    path.parent.mkdir(exist_ok=True)
    try:
        lock = SimpleLockFile(str(path))
    except LockError:
        raise UserError(f"Another run of {name} is at work here. Wait for it or stop it, then run again") from None
    with closing(lock):
        yield


class Parser(argparse.ArgumentParser):
    """The command line of a stage; its help lists the params that dvc.yaml names for the stage."""

    def format_help(self) -> str:
        import yaml

        stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        used = stages[self.prog.rsplit(".", 1)[1]]["params"]
        keys = {"params.yaml": [key for key in used if isinstance(key, str)]}
        keys |= {file: keys for entry in used if isinstance(entry, dict) for file, keys in entry.items()}
        self.epilog = "\n".join(f"Params of {file}: {', '.join(names)}." for file, names in keys.items())
        return super().format_help()
