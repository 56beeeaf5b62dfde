"""presets of published systems and data sets: list, show, apply"""

import argparse
import sys


def list_presets(_: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    for name in presets.list_names():
        preset = presets.load(name)
        numbers = ", ".join(f"{measure} {value:.4g}" for measure, value in preset.published.items())
        print(f"{name:<24}{numbers or 'nothing published':<38}{preset.title}")
    print("next: skinlesion preset show NAME, or preset apply NAME", file=sys.stderr)


def show(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    print(presets.find_document(arguments.name).read_text(encoding="utf-8"), end="")


def apply(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    changed = presets.apply(arguments.name, arguments.set)
    print("\n".join(changed) if changed else f"params.yaml already has the values of preset {arguments.name}")
    tell_next()


def tell_next() -> None:
    """Print what this machine lacks for a run with params.yaml, if anything, and the command that runs it."""
    from skinlesion.commands.doctor import checks

    missing = checks.find_missing()
    for finding in missing:
        print("to do: " + ". ".join(part for part in (finding.text, finding.remedy) if part))
    print("then: dvc repro" if missing else "next: dvc repro")


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="list|show|apply")
    commands.add_parser("list", help="the presets with their published numbers").set_defaults(function=list_presets)
    for name, function, purpose in (
        ("show", show, "print a preset: source, published numbers, open questions, params"),
        ("apply", apply, "set the values of a preset in params.yaml, keeping its comments"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument("name", metavar="NAME", help="a preset, as preset list prints it")
        command.set_defaults(function=function)
    value = "a value to set after the preset's own, as in dvc exp run; may be repeated"
    command.add_argument("-S", dest="set", action="append", default=[], metavar="KEY=VALUE", help=value)
