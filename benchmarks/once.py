"""One round of one variant in a process of its own: `python -m benchmarks.TOPIC VARIANT` prints one line of JSON."""

import json
import resource
import sys
from collections.abc import Callable

Measured = float | dict  # the value; or a dict with `value`, and what the report should say besides
KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss, in bytes


def main(variants: dict[str, Callable[[], Measured]]) -> None:
    """Measure the variant named on the command line. The last line printed has `value` and `peak_memory_gb`.

    The peak is that of the process, or of the largest of its finished children, whichever is higher.
    """
    if len(sys.argv) != 2 or sys.argv[1] not in variants:
        sys.exit(f"give one of: {', '.join(map(repr, variants))}")
    measured = variants[sys.argv[1]]()
    result = measured if isinstance(measured, dict) else {"value": measured}
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({**result, "peak_memory_gb": peak * KIB / 1e9}), flush=True)
