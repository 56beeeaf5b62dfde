"""presets of published systems and data sets: list, show, apply"""

import argparse


def show_all(_: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    for name in presets.names():
        preset = presets.load(name)
        numbers = ", ".join(f"{measure} {value:.4g}" for measure, value in preset.published.items())
        print(f"{name:<24}{numbers or 'nothing published':<38}{preset.title}")


def show(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    print(presets.text(arguments.name), end="")


def apply(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.preset import presets

    changed = presets.apply(arguments.name)
    print("\n".join(changed) if changed else f"params.yaml is as preset {arguments.name} says already")


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="list|show|apply")
    commands.add_parser("list", help="the presets with their published numbers").set_defaults(function=show_all)
    for name, function, does in (
        ("show", show, "a preset's document: source, numbers, what is left open, params"),
        ("apply", apply, "lay a preset over params.yaml, keeping its comments"),
    ):
        one = commands.add_parser(name, help=does, description=does)
        one.add_argument("name", metavar="NAME", help="one that preset list prints")
        one.set_defaults(function=function)
