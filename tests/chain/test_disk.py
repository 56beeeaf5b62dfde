"""A disk that is full, may not be written, or is used by two at once: one clear message, exit code 1, nothing lost."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")

NOBODY = 65534

pytestmark = [
    pytest.mark.chain,
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and permissions"),
]


def python(code: str, folder: Path, room: int | None = None) -> subprocess.CompletedProcess:
    """Run `code` as the body of the stage `trial` in `folder`; `room`: bytes that a file may have."""
    imports = "import os\nfrom pathlib import Path\nfrom skinlesion.runtime.files import replace_folder, write_json\n"
    body = f"{imports}from skinlesion.runtime.entry import run\ndef main():\n    {code}\nrun(main, 'trial')\n"
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))) if room is not None else None
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", body]
    return subprocess.run(
        command, cwd=folder, env=environment, preexec_fn=limit, capture_output=True, text=True, check=False
    )


def refused(done: subprocess.CompletedProcess) -> str:
    """The one line that a person reads."""
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith("libpng")]
    assert len(said) == 1, done.stderr
    return said[0]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


WRITERS = {
    "json": "write_json(Path('data/out'), {'a': 'x' * 9999})",
    "table": "import pandas; from skinlesion.core import tables; "
    "tables.write(Path('data/out'), pandas.DataFrame({'a': range(9999)}))",
    "sheet": "from skinlesion.sheets import sheet; sheet.write([], Path('data/out'), 'title', 'many words ' * 999)",
    "model": "import keras, numpy; from skinlesion.model import bundle;"
    "model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(7)]);"
    "equal = numpy.full(7, 1 / 7); bundle.save(model, bundle.Calibration(1.0, equal, equal), 'crop', Path('data/out'))",
}


@pytest.mark.parametrize("code", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_named_and_the_old_file_stays(code: str, tmp_path: Path) -> None:
    if "bundle" in code:
        code = code.replace("data/out", "data/out.keras")
    path = tmp_path / "data" / ("out.keras" if "bundle" in code else "out")
    path.parent.mkdir()
    path.write_text("old")
    done = python(code, tmp_path, room=1000)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert said.startswith("trial: [Errno 27] File too large: 'data/out")
    assert said.endswith("see ulimit -f, and what the disk's format allows")
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.relative_to(tmp_path).as_posix()]


@pytest.mark.parametrize("side", [24, 300], ids=["smaller than a buffer", "larger"])
def test_a_picture_that_the_disk_does_not_take_is_an_error(side: int, tmp_path: Path) -> None:
    code = (
        "import numpy; from skinlesion.core.images import write_png\n"
        f"    picture = numpy.random.default_rng(0).integers(0, 256, ({side}, {side}, 3), numpy.uint8)\n"
        "    with replace_folder(Path('pictures')) as target: write_png(target / 'a.png', picture)"
    )
    said = refused(python(code, tmp_path, room=1000))
    assert "pictures" in said
    assert names(tmp_path) == []
    assert python(code, tmp_path).returncode == 0
    assert "pictures/a.png" in names(tmp_path)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with an old output, which another user may read, and nobody but root may write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data" / "out").mkdir(parents=True)
        (folder / "data" / "out" / "keep.txt").write_text("old")
        places = [folder, folder / "data", folder / "data" / "out"]
        for place in places:
            place.chmod(0o555)
        yield folder
        for place in places:
            place.chmod(0o755)


@pytest.mark.parametrize(
    "code",
    [
        "with replace_folder(Path('data/out')): pass",
        "write_json(Path('data/out.json'), {})",
        "write_json(Path('new/out.json'), {})",
    ],
    ids=["folder", "file", "folder above"],
)
def test_a_folder_that_may_not_be_written_is_named(code: str, locked: Path) -> None:
    if os.geteuid() == 0:  # for whom there are no permissions
        code = f"os.seteuid({NOBODY})\n    {code}"
    said = refused(python(code, locked))
    place = "new" if "new" in code else "data/out"
    assert said.startswith(f"trial: [Errno 13] Permission denied: '{place}")
    assert "give the permission" in said
    assert ".partial" not in said
    assert names(locked) == ["data/out/keep.txt"]


@pytest.mark.parametrize(
    ("number", "words"),
    [("ENOSPC", "The disk is full"), ("EROFS", "can only be read"), ("EDQUOT", "share of the disk"), ("EIO", "Is the")],
)
def test_each_kind_of_trouble_has_its_remedy(number: str, words: str, tmp_path: Path) -> None:
    code = (
        "import errno\n"
        f"    with replace_folder(Path('data/out')): raise OSError(errno.{number}, os.strerror(errno.{number}))"
    )
    said = refused(python(code, tmp_path))
    assert words in said
    assert ("'data/out'" in said) == (number in {"ENOSPC", "EDQUOT"}), "write() alone knows no file's name"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("write_json(Path('folder'), {})", "folder is a folder, where a file should be: move it away"),
        ("write_json(Path('file/out.json'), {})", "file is a file, where a folder should be: move it away"),
        ("replace_folder(Path('file')).__enter__()", "file is a file, where a folder should be: move it away"),
        ("replace_folder(Path('file/a/b')).__enter__()", "file is a file, where a folder should be: move it away"),
    ],
)
def test_a_file_and_a_folder_do_not_replace_each_other(code: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "keep.txt").write_text("old")
    (tmp_path / "file").write_text("old")
    said = refused(python(code, tmp_path))
    assert words in said
    assert names(tmp_path) == ["file", "folder/keep.txt"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of one slow stage."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    wait = "touch started; while [ ! -e go ]; do sleep 0.05; done; echo done > out"
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"slow": {"cmd": wait, "outs": ["out"]}}}))
    return folder


def until(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("it takes more than a minute")


def test_a_second_repro_is_refused_clearly_and_the_first_goes_on(pipeline: Path) -> None:
    command = [sys.executable, "-m", "dvc", "repro"]
    environment = {**os.environ, "DVC_SITE_CACHE_DIR": str(pipeline / "site")}
    asked = {"cwd": pipeline, "env": environment, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    first = subprocess.Popen(command, **asked)
    until((pipeline / "started").exists, first)
    second = subprocess.run(command, **asked, check=False)
    (pipeline / "go").touch()
    said = first.communicate()[0]
    assert second.returncode != 0
    assert "is busy, it is being blocked by" in second.stdout or "Unable to acquire lock" in second.stdout
    assert "Traceback" not in second.stdout
    assert first.returncode == 0, said
    assert (pipeline / "out").read_text() == "done\n"
    shutil.rmtree(pipeline / ".dvc" / "tmp", ignore_errors=True)
