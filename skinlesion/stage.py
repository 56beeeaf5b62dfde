"""What every stage's entry point needs: clear errors, an exit code, and the time it took."""

import json
import sys
import time
import traceback
from collections.abc import Callable

from skinlesion import paths, verbose
from skinlesion.errors import UserError, in_words
from skinlesion.files import write_json


def run(main: Callable[[], object], name: str) -> None:
    """Run a stage's `main`: a UserError becomes its message and exit code 1; wall time goes to metrics/timing.json.

    -v also shows where a message came from, and what the backend has to say.
    """
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
