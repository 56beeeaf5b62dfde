"""whether this machine can run the pipeline, and what to do where it cannot"""

import argparse

INDENT = "\n" + " " * 18


def doctor(_: argparse.Namespace) -> int:
    from skinlesion.commands.doctor.checks import check_all

    states = []
    for name, finding in check_all():
        remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
        print(f"{finding.state:<8} {name:<8} {finding.text}{remedy}".replace("\n", INDENT), flush=True)
        states.append(finding.state)
    problems = states.count("problem")
    verdict = "cannot run until the problems are solved" if problems else "can run"
    print(f"notes: {states.count('note')}, problems: {problems}; the pipeline as params.yaml configures it {verdict}")
    if not problems:
        print("next: dvc repro")
    return int(problems > 0)


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(function=doctor)
