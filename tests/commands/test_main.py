"""python -m skinlesion, as it is typed."""

import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from skinlesion.__main__ import COMMANDS, main
from tests.helpers.chain import ROOT


def test_list_prints_every_published_system_with_its_numbers(folder, capsys):
    assert main(["preset", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert len(lines) == 11
    assert "accuracy 0.3707, f1_macro 0.3356" in lines["resnet50_b"]
    assert "accuracy 0.755 " in lines["resnet50_gap"]
    assert "nothing published" in lines["sample"]


def test_show_prints_the_document(folder, capsys):
    assert main(["preset", "show", "resnet50_se"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["published"] == {"accuracy": 0.778}


def test_apply_changes_params_and_says_what(folder, capsys):
    assert main(["preset", "apply", "resnet50_se"]) == 0
    assert "model.attention: none -> se" in capsys.readouterr().out
    assert yaml.safe_load((folder / "params.yaml").read_text())["model"]["attention"] == "se"
    assert main(["preset", "apply", "resnet50_se"]) == 0
    assert "already" in capsys.readouterr().out


def test_a_user_error_is_its_message_on_stderr_and_exit_code_1(folder):
    done = subprocess.run(
        [sys.executable, "-m", "skinlesion", "preset", "apply", "resnet51"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("skinlesion: no preset is named 'resnet51'. Did you mean")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_verbose_says_where_a_message_came_from(folder, capsys, monkeypatch):
    monkeypatch.setenv("SKINLESION_VERBOSE", "")
    assert main(["preset", "apply", "resnet51"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main(["-v", "preset", "apply", "resnet51"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["preset"], ["preset", "apply"], ["prset"], ["preset", "list", "x"]])
def test_a_command_line_that_makes_no_sense_shows_the_usage(words, folder, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: skinlesion" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    does = import_module(f"skinlesion.commands.{command.replace('-', '_')}.command").__doc__
    assert does in " ".join(capsys.readouterr().out.split())


def test_every_folder_of_commands_is_a_command():
    files = (ROOT / "skinlesion" / "commands").glob("*/command.py")
    assert sorted(COMMANDS) == sorted(file.parent.name.replace("_", "-") for file in files)


def test_a_port_that_is_none_is_refused_in_a_sentence(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--port", "80000"])
    assert "a port is a number from 0 to 65535. Received: 80000" in capsys.readouterr().err
