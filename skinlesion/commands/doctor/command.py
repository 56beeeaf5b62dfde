"""whether this machine can run the pipeline, and what to do where it cannot"""

import argparse


def doctor(_: argparse.Namespace) -> int:
    from skinlesion.commands.doctor import examine
    from skinlesion.commands.doctor.finding import in_words

    found = list(examine.examine())
    print(in_words(found))
    return int(any(finding.state == "problem" for _, finding in found))


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(function=doctor)
