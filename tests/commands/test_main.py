"""The command line `skinlesion`, as it is typed."""

import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from skinlesion.__main__ import COMMANDS, main
from tests.helpers.chain import ROOT


def test_preset_list_show_and_apply(folder, capsys):
    assert main(["preset", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert len(lines) == 12
    assert "accuracy 0.3707, f1_macro 0.3356" in lines["resnet50_b"]
    assert main(["preset", "show", "resnet50_se"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["published"] == {"accuracy": 0.778}
    assert main(["preset", "apply", "resnet50_se"]) == 0
    assert "model.attention: none -> se" in capsys.readouterr().out
    assert yaml.safe_load((folder / "params.yaml").read_text())["model"]["attention"] == "se"


def test_preset_apply_says_what_is_missing_until_it_is_there(folder, capsys):
    values = ["data.source=archive", "data.archive=ham.zip", "model.weights=mine.h5"]
    command = ["preset", "apply", "ham10000", *(word for value in values for word in ("-S", value))]

    def list_to_do() -> str:
        assert main(command) == 0
        *lines, last = capsys.readouterr().out.splitlines()
        assert last.endswith(": dvc repro")
        return " ".join(line for line in lines if line.startswith("to do"))

    assert all(name in list_to_do() for name in ("ham.zip", "mine.h5"))
    (folder / "ham.zip").touch()
    assert "ham.zip" not in list_to_do()
    (folder / "mine.h5").touch()
    assert list_to_do() == ""


def test_a_user_error_is_a_message_on_stderr_and_exit_code_1(folder):
    command = [sys.executable, "-m", "skinlesion", "preset", "apply", "resnet51"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "resnet51" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.chain
def test_a_reader_that_closes_early_is_no_error(folder):
    line = f'"{sys.executable}" -m skinlesion preset list | true'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_verbose_shows_where_a_message_came_from(folder, capsys, monkeypatch):
    monkeypatch.setenv("SKINLESION_VERBOSE", "")
    assert main(["-v", "preset", "apply", "resnet51"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["preset", "apply"],
        ["prset"],
        ["preset", "list", "x"],
        ["demo", "--port", "80000"],
        ["study", "run", "--protocol", "x"],
    ],
)
def test_a_wrong_command_line_shows_the_usage(words, folder, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: skinlesion" in capsys.readouterr().err


def test_every_folder_of_commands_is_a_command_with_help(capsys):
    files = (ROOT / "skinlesion" / "commands").glob("*/command.py")
    assert sorted(COMMANDS) == sorted(file.parent.name.replace("_", "-") for file in files)
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        purpose = import_module(f"skinlesion.commands.{command.replace('-', '_')}.command").__doc__
        assert purpose in " ".join(capsys.readouterr().out.split())
