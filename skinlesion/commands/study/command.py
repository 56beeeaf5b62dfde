"""presets under both protocols, side by side: run, table"""

import argparse
import sys


def run(arguments: argparse.Namespace) -> int:
    from skinlesion.commands.study import plan, run

    runs = plan.plan(arguments.presets, arguments.protocol.split(","), arguments.set)
    failed = run.run(runs, queued=not arguments.no_queue)
    if failed:
        print(f"{len(failed)} of {len(runs)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def table(_: argparse.Namespace) -> None:
    from skinlesion.commands.study import table

    table.make()
    print(table.TABLE.read_text(encoding="utf-8"), end="")


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="run|table")
    does = "run presets under both protocols, each as a DVC experiment"
    one = commands.add_parser("run", help=does, description=does)
    one.add_argument("presets", nargs="*", metavar="PRESET", help="which; none means all published systems")
    protocol = "image, lesion or both with a comma (default: %(default)s)"
    one.add_argument("--protocol", default="image,lesion", help=protocol)
    value = "a value for every run, as in dvc"
    one.add_argument("-S", dest="set", action="append", default=[], metavar="KEY=VALUE", help=value)
    one.add_argument("--no-queue", action="store_true", help="run one after the other here, without DVC's queue")
    one.set_defaults(function=run)
    does = "write plots/study.csv and plots/study.md from the experiments"
    commands.add_parser("table", help=does, description=does).set_defaults(function=table)
