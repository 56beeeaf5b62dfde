"""The download through the kaggle package: what it leaves behind, what it says when it fails."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import requests

from skinlesion.download import transfer
from skinlesion.download.kaggle import DATASET, SCRATCH, UNPACKED_BYTES, ZIP_BYTES, download
from skinlesion.runtime.errors import UserError

ZIP = "skin-cancer-mnist-ham10000.zip"
SECRET = "KGAT_0123456789abcdef"
WAYS_OUT = ["data.source: archive", "data.source: sample", f"kaggle.com/datasets/{DATASET}"]
CREDENTIALS = [
    "KAGGLE_API_TOKEN",
    "~/.kaggle/access_token",
    "KAGGLE_USERNAME and KAGGLE_KEY",
    "~/.kaggle/kaggle.json",
]


class FakeApi:
    """Stands for kaggle.api: each step does what a test gives it to do."""

    def __init__(self, transfer: Callable[[Path], None], sign_in: Callable[[], None]) -> None:
        self.transfer = transfer
        self.authenticate = sign_in

    def dataset_download_files(self, dataset: str, path: str, quiet: bool) -> None:
        assert (dataset, quiet) == (DATASET, False)
        Path(path).mkdir(exist_ok=True)
        self.transfer(Path(path, ZIP))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(transfer: Callable[[Path], None], sign_in: Callable[[], None] = lambda: None) -> None:
        api = FakeApi(transfer, sign_in)
        monkeypatch.setitem(sys.modules, "kaggle", SimpleNamespace(api=api))

    return install


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`free(2e9)`: so many bytes are free on the disk; at first, enough."""

    def have(number: float) -> None:
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=number))

    have(1e12)
    return have


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def tiny_zip(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("HAM10000_metadata.csv", "image_id,dx\n")
        for folder in ("HAM10000_images_part_1", "ham10000_images_part_1"):
            archive.writestr(f"{folder}/ISIC_1.jpg", b"jpeg")


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} for Bearer {SECRET}", response=response)


def missing(parts: list[str], message: str) -> list[str]:
    return [part for part in parts if part not in message]


def test_downloads_unpacks_and_tidies_up(fake: Callable[..., None], target: Path) -> None:
    fake(tiny_zip)
    download(target)
    assert (target / "HAM10000_images_part_1" / "ISIC_1.jpg").read_bytes() == b"jpeg"
    assert (target / "HAM10000_metadata.csv").is_file()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


FAILURES = [
    (http_error(401), ["HTTP 401", "not valid", *CREDENTIALS]),
    (http_error(403), ["HTTP 403", "accept its rules"]),
    (http_error(404), ["HTTP 404"]),
    (http_error(429), ["HTTP 429", "wait"]),
    (http_error(503), ["HTTP 503", "network", "resume"]),
    (requests.ConnectionError(f"api.kaggle.com {SECRET}"), ["ConnectionError", "network"]),
    (requests.exceptions.InvalidHeader(f"'Bearer {SECRET}\\n'"), ["InvalidHeader"]),
    (OSError(28, "No space left on device", SECRET), ["No space left on device", "disk space"]),
    (ValueError("Downloaded file size (5) does not match expected size (9)"), ["ValueError"]),
]


@pytest.mark.parametrize(("error", "expected"), FAILURES)
def test_failed_download_is_explained_and_kept(
    error: Exception, expected: list[str], fake: Callable[..., None], target: Path
) -> None:
    def transfer(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    fake(transfer)
    with pytest.raises(UserError) as caught:
        download(target)
    assert missing([*expected, *WAYS_OUT], str(caught.value)) == []
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
    assert (target.parent / SCRATCH / ZIP).read_bytes() == b"half"
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SystemExit(1), ["needs credentials", *CREDENTIALS]),
        (http_error(401), ["Signing in", "HTTP 401", *CREDENTIALS]),
        (requests.ConnectionError(SECRET), ["Signing in", "ConnectionError", "network"]),
        (OSError(36, "File name too long", SECRET), ["File name too long", *CREDENTIALS]),
    ],
)
def test_failed_sign_in_is_explained(
    error: BaseException, expected: list[str], fake: Callable[..., None], target: Path
) -> None:
    fake(raising(AssertionError("downloads without credentials")), raising(error))
    with pytest.raises(UserError) as caught:
        download(target)
    assert missing([*expected, *WAYS_OUT], str(caught.value)) == []
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_refused_zip_is_kept_and_named(fake: Callable[..., None], target: Path) -> None:
    fake(lambda path: path.write_bytes(b"PK half a zip"))
    zip_path = target.parent / SCRATCH / ZIP
    with pytest.raises(UserError, match=f"Cannot read .*delete {zip_path}"):
        download(target)
    assert zip_path.is_file()


def test_nothing_flows_before_there_is_room(fake: Callable[..., None], free: Callable, target: Path) -> None:
    fake(tiny_zip)
    free(ZIP_BYTES + UNPACKED_BYTES - 1)
    with pytest.raises(UserError, match=r"need 8\.38GB free on the disk of .*Free some space"):
        download(target)
    assert not (target.parent / SCRATCH).exists()
    free(ZIP_BYTES + UNPACKED_BYTES)
    download(target)
    assert (target / "HAM10000_metadata.csv").is_file()


def test_what_has_arrived_needs_no_room_again(fake: Callable[..., None], free: Callable, target: Path) -> None:
    def first(path: Path) -> None:
        path.write_bytes(b"x" * 1000)
        raise requests.ConnectionError

    fake(first)
    with pytest.raises(UserError):
        download(target)
    fake(tiny_zip)
    free(ZIP_BYTES - 1000 + UNPACKED_BYTES - 1)
    with pytest.raises(UserError, match="Free some space"):
        download(target)
    free(ZIP_BYTES - 1000 + UNPACKED_BYTES)
    download(target)


def test_an_image_that_differs_from_its_checksum_is_refused(fake: Callable[..., None], target: Path) -> None:
    def damaged(path: Path) -> None:
        tiny_zip(path)
        path.write_bytes(path.read_bytes().replace(b"jpeg", b"jpek", 1))

    fake(damaged)
    with pytest.raises(UserError, match=r"Cannot read .*ISIC_1\.jpg"):
        download(target)


def test_a_zip_without_its_end_is_refused(fake: Callable[..., None], target: Path) -> None:
    def short(path: Path) -> None:
        tiny_zip(path)
        path.write_bytes(path.read_bytes()[:-30])

    fake(short)
    with pytest.raises(UserError, match="Cannot read "):
        download(target)


@pytest.mark.parametrize("name", ["VERBOSE", "VERBOSE_OUTPUT"])
def test_the_package_is_not_asked_to_print_its_requests(name: str, tmp_path: Path) -> None:
    """It decides when it is imported, and would print the token with them."""
    code = "from skinlesion.download.kaggle import sign_in\nprint('args', sign_in().args)\n"
    credentials = {"KAGGLE_USERNAME": "x", "KAGGLE_KEY": SECRET, "HOME": str(tmp_path), name: "1"}
    done = run_code(code, credentials)
    assert done.stdout == "args []\n", done.stderr


def test_next_call_finds_what_the_first_left(fake: Callable[..., None], target: Path) -> None:
    def first(path: Path) -> None:
        tiny_zip(path)
        raise requests.ConnectionError

    def second(path: Path) -> None:
        assert path.is_file()

    fake(first)
    with pytest.raises(UserError):
        download(target)
    fake(second)
    download(target)
    assert (target / "HAM10000_metadata.csv").is_file()


def run_with(environment: dict[str, str], target: Path) -> subprocess.CompletedProcess[str]:
    """Call download with the genuine package, in a process with no other credentials."""
    code = (
        "import sys; from pathlib import Path\n"
        "from skinlesion.download.kaggle import download\n"
        "from skinlesion.runtime.errors import UserError\n"
        "try: download(Path(sys.argv[1]))\n"
        "except UserError as error: print('UserError:', error)\n"
    )
    return run_code(code, environment, str(target))


def run_code(code: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in os.environ if not name.startswith("KAGGLE")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [("home", ["needs credentials"]), ("file/kaggle", ["Signing in", "must be writable"])],
    ids=["no credentials", "no folder for the package"],
)
def test_genuine_package_without_credentials(config: str, expected: list[str], tmp_path: Path, target: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "file").touch()
    done = run_with(
        {
            "HOME": str(tmp_path / "home"),
            "USERPROFILE": str(tmp_path / "home"),
            "KAGGLE_CONFIG_DIR": str(tmp_path / config),
        },
        target,
    )
    assert done.stdout.startswith("UserError:")  # and nothing of what the package prints
    assert missing([*expected, *CREDENTIALS, *WAYS_OUT], done.stdout) == []
    assert "Traceback" not in done.stderr
    assert not (tmp_path / SCRATCH).exists()
