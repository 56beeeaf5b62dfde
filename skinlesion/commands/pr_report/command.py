"""this branch's result against another commit, as a comment for a pull request"""

import argparse


def report(arguments: argparse.Namespace) -> None:
    from skinlesion.commands.pr_report.comment import write_comment

    print(write_comment(arguments.base), end="")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", metavar="BASE", help="a branch, tag or commit, such as main or origin/main")
    parser.set_defaults(function=report)
