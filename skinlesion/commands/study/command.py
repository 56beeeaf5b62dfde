"""presets under both protocols, side by side: run, table"""

import argparse
import os
import sys

from skinlesion.runtime import cluster
from skinlesion.runtime.errors import UserError


def run(arguments: argparse.Namespace) -> int:
    from skinlesion.commands.study import comparison, plan, remote, runs
    from skinlesion.runtime import paths

    planned = plan.plan_runs(arguments.presets, arguments.protocol.split(","), arguments.set)
    if arguments.cluster is None:
        if arguments.resource:
            raise UserError("--resource is of a cluster's workers. Add --cluster, or leave it out")
        failed = runs.run_all(planned)
    else:
        failed = remote.run_all(planned, remote.check_address(arguments.cluster), dict(arguments.resource))
    if len(failed) < len(planned):
        comparison.write_tables()
        print(f"results: {paths.STUDY} and {paths.STUDY_CSV}")
    if failed:
        print(f"{len(failed)} of {len(planned)} runs failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def table(_: argparse.Namespace) -> None:
    from skinlesion.commands.study import comparison

    print(comparison.write_tables(), end="")


def parse_resource(words: str) -> tuple[str, float]:
    name, _, number = words.partition("=")
    return name, float(number)


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="run|table")
    purpose = "run presets under both protocols, one after the other, each as a DVC experiment"
    run_parser = commands.add_parser("run", help=purpose, description=purpose)
    run_parser.add_argument("presets", nargs="*", metavar="PRESET", help="default: all published systems")
    choices = ("image,lesion", "image", "lesion")
    run_parser.add_argument("--protocol", choices=choices, default=choices[0], help="default: %(default)s")
    value = "a value for every run, as in dvc exp run"
    run_parser.add_argument("-S", dest="set", action="append", default=[], metavar="KEY=VALUE", help=value)
    where = f"send each run to this Dask scheduler, as tcp://HOST:8786; without ADDRESS: the variable {cluster.ADDRESS}"
    run_parser.add_argument(
        "--cluster", nargs="?", const=os.environ.get(cluster.ADDRESS, ""), metavar="ADDRESS", help=where
    )
    takes = "what a run takes of a worker's resources in Dask, as GPU=1; with --cluster"
    run_parser.add_argument(
        "--resource", action="append", default=[], type=parse_resource, metavar="NAME=NUMBER", help=takes
    )
    run_parser.set_defaults(function=run)
    purpose = "write plots/study.csv and plots/study.md from the finished experiments"
    commands.add_parser("table", help=purpose, description=purpose).set_defaults(function=table)
