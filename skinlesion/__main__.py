"""The commands around the pipeline: each is a folder of skinlesion/commands."""

import argparse
import os
import sys
import traceback
from importlib import import_module

from skinlesion.runtime import verbose
from skinlesion.runtime.errors import UserError, describe_error

# The docstring of a command's module (pr_report/command.py for pr-report) is its help; its add(parser) adds arguments
# and sets `function`. All are imported for --help, so slow imports belong inside of functions.
COMMANDS = ("compare", "demo", "doctor", "export", "pr-report", "predict", "preset", "result", "study", "submission")


def main(words: list[str] | None = None) -> int:
    """Run one command; return the exit code, which is 1 after an error that is printed on stderr."""
    parser = argparse.ArgumentParser(prog="skinlesion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="|".join(COMMANDS))
    for name in COMMANDS:
        module = import_module(f"skinlesion.commands.{name.replace('-', '_')}.command")
        module.add(commands.add_parser(name, help=module.__doc__, description=module.__doc__))
    arguments = verbose.parse_arguments(parser, words)
    try:
        return arguments.function(arguments) or 0
    except BrokenPipeError:  # as in `skinlesion compare A B | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python's last flush goes there
        return 1
    except (UserError, OSError) as error:
        if verbose.asked():
            traceback.print_exc()
        print(f"{parser.prog}: {describe_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
