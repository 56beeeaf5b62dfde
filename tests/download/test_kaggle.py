"""Kaggle as a source: what a download leaves behind, and its messages, which never quote the token."""

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from skinlesion.download.kaggle import CREDENTIALS, DATASET, SCRATCH, UNPACKED_BYTES, WAYS_OUT, ZIP_BYTES, download
from skinlesion.runtime import transfer
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import LAYOUT, zip_of

ZIP = "skin-cancer-mnist-ham10000.zip"
SECRET = "KGAT_0123456789abcdef"

Act = Callable[[Path], object]


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} for Bearer {SECRET}", response=response)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`run(act)`: download into `tmp_path`/target through a package that does `act(path of the zip)`."""
    (tmp_path / "target").mkdir()

    def run(act: Act, sign_in: Callable[[], object] = lambda: None, free: float = 1e12) -> Path:
        def dataset_download_files(dataset: str, path: str, quiet: bool) -> None:
            assert (dataset, quiet) == (DATASET, False)
            Path(path).mkdir(exist_ok=True)
            act(Path(path, ZIP))

        api = SimpleNamespace(authenticate=sign_in, dataset_download_files=dataset_download_files)
        monkeypatch.setitem(sys.modules, "kaggle", SimpleNamespace(api=api))
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        download(tmp_path / "target")
        return tmp_path / "target"

    return run


def write_zip(path: Path) -> None:
    path.write_bytes(zip_of(LAYOUT))


def raising(error: BaseException) -> Callable[..., None]:
    def act(path: Path | None = None) -> None:
        if path is not None:
            path.write_bytes(b"half")
        raise error

    return act


def test_a_download_is_unpacked_and_leaves_nothing_else(run: Callable, tree: Callable) -> None:
    target = run(write_zip)
    assert tree(target) == LAYOUT
    assert [path.name for path in target.parent.iterdir()] == ["target"]


FAILURES = [
    (http_error(401), ["HTTP 401", CREDENTIALS]),
    (http_error(403), ["HTTP 403", "accept its rules"]),
    (http_error(404), ["HTTP 404", "moved"]),
    (http_error(429), ["HTTP 429", "Wait"]),
    (http_error(503), ["HTTP 503", "network", SCRATCH]),
    (requests.ConnectionError(f"api.kaggle.com {SECRET}"), ["ConnectionError", "network", SCRATCH]),
    (OSError(28, "No space left on device", SECRET), ["No space left on device", "disk space"]),
    (ValueError(f"file size of {SECRET}"), ["ValueError", SCRATCH]),
]


@pytest.mark.parametrize(("error", "words"), FAILURES)
def test_a_failed_download_is_explained_and_the_next_run_finds_its_bytes(
    error: Exception, words: list[str], run: Callable, tmp_path: Path, tree: Callable
) -> None:
    with pytest.raises(UserError) as caught:
        run(raising(error))
    assert [word for word in [*words, WAYS_OUT] if word not in str(caught.value)] == []
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert tree(tmp_path) == {f"{SCRATCH}/{ZIP}": b"half"}

    def resume(path: Path) -> None:
        assert path.read_bytes() == b"half"
        write_zip(path)

    assert tree(run(resume, free=ZIP_BYTES - len(b"half") + UNPACKED_BYTES)) == LAYOUT


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemExit(1), ["data.source: kaggle needs credentials", CREDENTIALS]),
        (http_error(401), ["HTTP 401", CREDENTIALS]),
        (requests.ConnectionError(SECRET), ["ConnectionError", "network"]),
        (OSError(36, "File name too long", SECRET), ["File name too long", CREDENTIALS]),
    ],
)
def test_a_failed_sign_in_is_explained(error: BaseException, words: list[str], run: Callable) -> None:
    with pytest.raises(UserError) as caught:
        run(raising(AssertionError("downloads without credentials")), sign_in=raising(error))
    assert [word for word in [*words, WAYS_OUT] if word not in str(caught.value)] == []
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_damaged_zip_is_kept_and_named(run: Callable, tmp_path: Path) -> None:
    """The package takes it for complete, and would not download it again."""
    content = zip_of(LAYOUT)
    with pytest.raises(UserError, match=f"delete {tmp_path / SCRATCH / ZIP}"):
        run(lambda path: path.write_bytes(content[:-30]))
    assert (tmp_path / SCRATCH / ZIP).is_file()


def test_nothing_is_downloaded_without_space(run: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Free some space"):
        run(write_zip, free=ZIP_BYTES + UNPACKED_BYTES - 1)
    assert not (tmp_path / SCRATCH).exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [("config", "needs credentials"), ("file/kaggle", "must be writable")],
    ids=["no credentials", "no folder for the package"],
)
def test_the_genuine_package_without_credentials(config: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = (
        "from pathlib import Path\nfrom skinlesion.download.kaggle import download\n"
        "from skinlesion.runtime.errors import UserError\n"
        f"try: download(Path({str(tmp_path / 'target')!r}))\nexcept UserError as error: print('UserError:', error)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAGGLE")}
    ours = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path), "KAGGLE_CONFIG_DIR": str(tmp_path / config)}
    done = subprocess.run([sys.executable, "-c", code], env=clean | ours, capture_output=True, text=True, check=True)
    printed = done.stdout
    assert printed.startswith("UserError:")  # and nothing that the package prints
    assert [word for word in (words, CREDENTIALS, WAYS_OUT) if word not in printed] == []
