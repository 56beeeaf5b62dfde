"""Help and refusals load no Keras, and neither do the stages that do not use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.chain import ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
WITH_KERAS = {"train", "evaluate", "explain"}
SLOW = ("cv2", "joblib", "matplotlib", "numpy", "pandas", "pydantic", "sklearn", "yaml")


def run(code: str, *words: str) -> list:
    """Run Python code in its own process; return the JSON that it prints. `loaded(names)` there: those imported."""
    start = "import contextlib, io, json, runpy, sys\nloaded = lambda names: [n for n in names if n in sys.modules]\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_stages_without_keras_do_not_import_it() -> None:
    scripts = [str(ROOT / "stages" / f"{name}.py") for name in STAGES if name not in WITH_KERAS]
    imports = f"for script in {scripts}: runpy.run_path(script)"
    assert run(f"{imports}\nprint(json.dumps(loaded({['keras', 'tensorflow', 'pandas']})))") == ["pandas"]


@pytest.mark.chain
def test_help_of_a_stage_says_what_it_does_and_uses_and_nothing_is_run(tmp_path: Path) -> None:
    code = (
        f"scripts = {str(ROOT / 'stages')!r}"
        + """
ended = []
for name in sys.argv[1:]:
    for word in ("--help", "nonsense", "--epochs=3"):
        sys.argv = [name, word]
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                runpy.run_path(f"{scripts}/{name}.py", run_name="__main__")
            except SystemExit as end:
                ended.append((name, word, end.code, " ".join((out.getvalue() + err.getvalue()).split())))
print(json.dumps([ended, loaded(["keras", "tensorflow"])]))
"""
    )
    ended, slow = run(code, *STAGES)
    assert len(ended) == 3 * len(STAGES)
    for name, word, status, text in ended:
        if word == "--help":
            assert status == 0
            assert f" {name.capitalize()}: " in text
            assert "--verbose" in text
            assert ", ".join(key for key in STAGES[name]["params"] if isinstance(key, str)) in text
            assert ("networks.yaml: backbones." in text) == (name in ("train", "report"))
        else:
            assert status == 2
            assert word in text
    assert slow == []
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_refused_is_refused_before_keras_is_loaded() -> None:
    Path("photo.jpg").touch()
    Path("text.keras").touch()
    code = """
from skinlesion.__main__ import main
with contextlib.redirect_stdout(sys.stderr):
    try:
        main(["--help"])
    except SystemExit:
        pass
    slow = loaded(sys.argv[1:])
    refused = [main([*words.split(), "--model", model]) for model in ("no.keras", "text.keras")
               for words in ("predict photo.jpg", "export --format onnx", "export --format savedmodel")]
print(json.dumps([slow, refused, loaded(["keras", "tensorflow"])]))
"""
    assert run(code, *SLOW) == [[], [1] * 6, []]
