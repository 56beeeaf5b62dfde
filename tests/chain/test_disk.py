"""A disk that is full or may not be written: one message names the output, exit code 1, and the old output stays."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.chain import ROOT

resource = pytest.importorskip("resource")

NOBODY = 65534
MOST = 1000  # bytes that a file may have
WRITERS = {
    "json": "write_json(Path('data/out'), {'a': 'x' * 9999})",
    "table": "import pandas; from skinlesion.core import tables; "
    "tables.write(Path('data/out'), pandas.DataFrame({'a': range(9999)}))",
    "sheet": "from skinlesion.sheets import sheet; sheet.write([], Path('data/out'), 'title', 'many words ' * 999)",
    "model": "import keras, numpy; from skinlesion.model import bundle, calibration, likeness; "
    "model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(7)]); "
    "even = numpy.full(7, 1 / 7); chosen = calibration.Calibration(1.0, even, even); "
    "usual = likeness.Likeness(numpy.zeros(13), numpy.eye(13), 1.0, 0); "
    "bundle.save(bundle.Bundle(model, chosen, 'crop', usual), Path('data/out.keras'))",
    **{
        f"picture of {side} px": "import numpy; from skinlesion.core.images import write_png; "
        f"picture = numpy.random.default_rng(0).integers(0, 256, ({side}, {side}, 3), numpy.uint8)\n"
        "    with replace_folder(Path('data/out')) as target: write_png(target / 'a.png', picture)"
        for side in (24, 300)  # smaller and larger than a buffer
    },
}

pytestmark = [pytest.mark.chain, pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and permissions")]


def refuse(code: str, folder: Path, most: int | None = None) -> str:
    """Run `code` as a stage in `folder`, with files of at most `most` bytes; return the message that it ends with."""
    imports = "import os\nfrom pathlib import Path\nfrom skinlesion.runtime.files import replace_folder, write_json\n"
    body = f"{imports}from skinlesion.runtime.entry import run\ndef main():\n    {code}\nrun(main, 'trial')\n"
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))) if most is not None else None
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", body],
        cwd=folder, env=environment, preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    *_, message = done.stderr.splitlines()
    assert message.startswith("trial: ")
    assert ".partial" not in message
    return message


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("code", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_named_and_the_old_output_stays(code: str, tmp_path: Path) -> None:
    out = tmp_path / "data" / ("out.keras" if "keras" in code else "out/old" if "folder" in code else "out")
    out.parent.mkdir(parents=True)
    out.write_text("old")
    message = refuse(code, tmp_path, MOST)
    assert "data/out" in message
    assert "ulimit" in message
    assert contents(tmp_path) == {out.relative_to(tmp_path).as_posix(): "old"}


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with an old output, which another user may read, and only root may write to."""
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
    ("code", "named"),
    [
        ("with replace_folder(Path('data/out')): pass", "'data/out'"),
        ("write_json(Path('data/out.json'), {})", "'data/out.json'"),
        ("write_json(Path('new/out.json'), {})", "'new'"),
    ],
)
def test_a_folder_that_may_not_be_written_is_named(code: str, named: str, locked: Path) -> None:
    if os.geteuid() == 0:  # root may write everywhere
        code = f"os.seteuid({NOBODY})\n    {code}"
    message = refuse(code, locked)
    assert named in message
    assert "permissions" in message
    assert contents(locked) == {"data/out/keep.txt": "old"}
