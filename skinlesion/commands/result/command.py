"""the result of the last run in one line, and the command that opens its report"""

import argparse
import sys


def tell(_: argparse.Namespace) -> None:
    """Print the balanced accuracy, on which data it was reached, and where the report is; works without DVC's cache.

    Raises UserError if there is no result or no report.
    """
    from skinlesion.commands.pr_report import sides
    from skinlesion.runtime import paths
    from skinlesion.runtime.errors import UserError

    side = sides.read_working_tree()
    report = paths.REPORT.as_posix()
    if not paths.REPORT.is_file():
        raise UserError(f"{report} is missing. Run: dvc checkout {report}, or dvc repro")
    reached = f"balanced accuracy {side.balanced_accuracy.figure}"
    if side.balanced_accuracy.interval:
        reached += f" (95% interval {side.balanced_accuracy.interval})"
    data = "the synthetic sample" if side.source == "sample" else f"HAM10000 ({side.source or 'unknown'})"
    leaked = side.split["leaked_images"]["test"]
    opener = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
    images = f"{side.split['images']['test']:,} test images of {data}; {leaked:,} of them leak"
    print(f"{reached} on {images}. Open the report: {opener} {report}")


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(function=tell)
