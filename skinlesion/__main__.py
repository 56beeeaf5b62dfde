"""What is done around the pipeline: each command is a folder of skinlesion/commands."""

import argparse
import sys
import traceback
from importlib import import_module

from skinlesion.runtime import verbose
from skinlesion.runtime.errors import UserError, in_words

# A command's module (pr_report/command.py for pr-report) says in its docstring what the command does; add(parser) gives
# it its arguments, and `function`. All are imported for --help, so that a module imports what is slow where it uses it.
COMMANDS = ("demo", "doctor", "export", "pr-report", "predict", "preset", "study")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="skinlesion", description=__doc__)
    verbose.add(top)
    commands = top.add_subparsers(required=True, metavar="|".join(COMMANDS))
    for name in COMMANDS:
        module = import_module(f"skinlesion.commands.{name.replace('-', '_')}.command")
        module.add(commands.add_parser(name, help=module.__doc__, description=module.__doc__))
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command; the exit code is 1 where it could not be done, with the reason on stderr."""
    arguments = parser().parse_args(words)
    verbose.note(arguments)
    try:
        return arguments.function(arguments) or 0
    except (UserError, OSError) as error:
        if verbose.asked():
            traceback.print_exc()
        print(f"{parser().prog}: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
