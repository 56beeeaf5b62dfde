"""presets under both protocols, side by side: run, table, page"""

import argparse
import os
import sys
from pathlib import Path

from skinlesion.runtime import cluster
from skinlesion.runtime.errors import UserError

PROTOCOLS = "image,lesion"


def run(arguments: argparse.Namespace) -> int:
    from skinlesion.commands.study import comparison, listed, plan, remote, runs
    from skinlesion.runtime import paths

    if arguments.plan:
        if arguments.protocol or arguments.resource or arguments.cluster is not None:
            raise UserError("--plan does not go with --protocol, --cluster and --resource. Leave them out")
        planned = listed.plan_listed(arguments.plan, arguments.presets, arguments.set)
        failed = runs.run_recorded(planned, arguments.plan.parent, commits=not arguments.no_commit)
        return tell_failed(failed, planned)
    if arguments.no_commit:
        raise UserError("--no-commit needs --plan, as other studies commit nothing. Add --plan, or remove --no-commit")
    planned = plan.plan_runs(arguments.presets, (arguments.protocol or PROTOCOLS).split(","), arguments.set)
    if arguments.cluster is None:
        if arguments.resource:
            raise UserError("--resource needs --cluster. Add --cluster, or remove --resource")
        failed = runs.run_all(planned)
    else:
        failed = remote.run_all(planned, remote.check_address(arguments.cluster), dict(arguments.resource))
    if len(failed) < len(planned):
        comparison.write_tables()
        print(f"results: {paths.STUDY} and {paths.STUDY_CSV}")
    return tell_failed(failed, planned)


def tell_failed(failed: list[str], planned: list) -> int:
    """Name the runs that failed; return the exit code."""
    if failed:
        print(f"{len(failed)} of {len(planned)} runs failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def page(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.study import page

    for path in page.write(arguments.plan, *arguments.page):
        print(path)


def table(_: argparse.Namespace) -> None:
    from skinlesion.commands.study import comparison

    print(comparison.write_tables(), end="")


def parse_resource(words: str) -> tuple[str, float]:
    name, _, number = words.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words} is no resource. Write NAME=NUMBER, as GPU=1") from None


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="run|table|page")
    purpose = "run presets under both protocols, one after the other, each as a DVC experiment"
    run_parser = commands.add_parser("run", help=purpose, description=purpose)
    run_parser.add_argument("presets", nargs="*", metavar="PRESET", help="default: all published systems")
    run_parser.add_argument(
        "--protocol",
        choices=(PROTOCOLS, "image", "lesion"),
        metavar="PROTOCOL",
        help=f"image, lesion or {PROTOCOLS} (default)",
    )
    listed = "run the systems and runs that FILE lists (PRESET: only these); record and commit each result beside FILE"
    run_parser.add_argument("--plan", type=Path, metavar="FILE", help=listed)
    run_parser.add_argument("--no-commit", action="store_true", help="with --plan: leave the commits to you")
    value = "a value for every run, as in dvc exp run"
    run_parser.add_argument("-S", dest="set", action="append", default=[], metavar="KEY=VALUE", help=value)
    where = f"send each run to this Dask scheduler, as tcp://HOST:8786; without ADDRESS: the variable {cluster.ADDRESS}"
    run_parser.add_argument(
        "--cluster", nargs="?", const=os.environ.get(cluster.ADDRESS, ""), metavar="ADDRESS", help=where
    )
    takes = "a Dask resource that each run reserves on its worker, as GPU=1; needs --cluster"
    run_parser.add_argument(
        "--resource", action="append", default=[], type=parse_resource, metavar="NAME=NUMBER", help=takes
    )
    run_parser.set_defaults(function=run)
    purpose = "write plots/study.csv and plots/study.md from the finished experiments"
    commands.add_parser("table", help=purpose, description=purpose).set_defaults(function=table)
    purpose = "write the tables and figures of docs/results.md and README.md from the recorded runs of a plan alone"
    page_parser = commands.add_parser("page", help=purpose, description=purpose)
    page_parser.add_argument("--plan", type=Path, default=Path("results/plan.yaml"), help="default: %(default)s")
    pages = [Path("docs/results.md"), Path("README.md")]
    beside = "a folder beside the first has each table as CSV and each figure as SVG"
    shown = f"default: {' '.join(map(str, pages))}; {beside}"
    page_parser.add_argument("--page", type=Path, nargs="+", default=pages, metavar="FILE", help=shown)
    page_parser.set_defaults(function=page)
