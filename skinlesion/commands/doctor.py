"""whether this machine can run the pipeline, and what to do where it cannot"""

import argparse


def examine(_: argparse.Namespace) -> int:
    from skinlesion import doctor
    from skinlesion.checks.finding import in_words

    found = list(doctor.examine())
    print(in_words(found))
    return int(any(finding.state == "problem" for _, finding in found))


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(function=examine)
