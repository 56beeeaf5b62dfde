"""python -m skinlesion: the presets of published systems and data sets, and the study that runs them side by side."""

import argparse
import sys
from collections.abc import Callable

from skinlesion import presets
from skinlesion.errors import UserError

Command = Callable[[argparse.Namespace], int | None]


def preset_list(_: argparse.Namespace) -> None:
    for name in presets.names():
        preset = presets.load(name)
        numbers = ", ".join(f"{measure} {value:.4g}" for measure, value in preset.published.items())
        print(f"{name:<24}{numbers or 'nothing published':<38}{preset.title}")


def preset_show(arguments: argparse.Namespace) -> None:
    print(presets.text(arguments.name), end="")


def preset_apply(arguments: argparse.Namespace) -> None:
    changed = presets.apply(arguments.name)
    print("\n".join(changed) if changed else f"params.yaml is as preset {arguments.name} says already")


def study_run(arguments: argparse.Namespace) -> int:
    from skinlesion.study import plan, run

    runs = plan.plan(arguments.presets, arguments.protocol.split(","), arguments.set)
    failed = run.run(runs, queued=not arguments.no_queue)
    if failed:
        print(f"{len(failed)} of {len(runs)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def study_table(_: argparse.Namespace) -> None:
    from skinlesion.study import table

    table.make()
    print(table.TABLE.read_text(encoding="utf-8"), end="")


def name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="one that preset list prints")


def study(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("presets", nargs="*", metavar="PRESET", help="which; none means all published systems")
    add("--protocol", default="image,lesion", help="image, lesion or both with a comma (default: %(default)s)")
    add("-S", dest="set", action="append", default=[], metavar="KEY=VALUE", help="a value for every run, as in dvc")
    add("--no-queue", action="store_true", help="run one after the other here, without DVC's queue")


def nothing(_: argparse.ArgumentParser) -> None:
    pass


# group -> command -> (function, what it does, its arguments)
COMMANDS: dict[str, dict[str, tuple[Command, str, Callable[[argparse.ArgumentParser], None]]]] = {
    "preset": {
        "list": (preset_list, "the presets with their published numbers", nothing),
        "show": (preset_show, "a preset's document: source, numbers, what is left open, params", name),
        "apply": (preset_apply, "lay a preset over params.yaml, keeping its comments", name),
    },
    "study": {
        "run": (study_run, "run presets under both protocols, each as a DVC experiment", study),
        "table": (study_table, "write plots/study.csv and plots/study.md from the experiments", nothing),
    },
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m skinlesion", description=__doc__)
    groups = top.add_subparsers(required=True, metavar="|".join(COMMANDS))
    for group, commands in COMMANDS.items():
        inner = groups.add_parser(group).add_subparsers(required=True, metavar="|".join(commands))
        for command, (function, does, add_arguments) in commands.items():
            leaf = inner.add_parser(command, help=does, description=does)
            add_arguments(leaf)
            leaf.set_defaults(function=function)
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command; the exit code is 1 where it could not be done, with the reason on stderr."""
    arguments = parser().parse_args(words)
    try:
        return arguments.function(arguments) or 0
    except UserError as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
