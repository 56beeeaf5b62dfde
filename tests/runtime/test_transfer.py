"""A download ends with the right bytes or with a message, whatever a bad local server does."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from skinlesion.runtime import transfer
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.transfer import check_room, download_file
from tests.helpers.server import Answer, Handler, cut, good, md5, send, serving, stall

CHUNK = transfer.CHUNK
BODY = random.Random(1).randbytes(5 * CHUNK + 17)
SIZE, MD5 = len(BODY), md5(BODY)
DAMAGED = BODY[:100] + b"?" + BODY[101:]
PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.zip"


@pytest.fixture
def part(path: Path) -> Path:
    path.parent.mkdir()
    return path.with_name("file.zip.part")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries in seconds, which are skipped; no proxy of this machine is used."""
    skipped: list[float] = []
    monkeypatch.setattr(transfer, "time", SimpleNamespace(sleep=skipped.append))
    monkeypatch.setattr(transfer, "TIMEOUT", (5, 1))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return skipped


def another_range(handler: Handler) -> None:
    handler.head(206, Content_Length=SIZE - 5, Content_Range=f"bytes 5-{SIZE - 1}/{SIZE}")
    handler.wfile.write(BODY[5:])


RECOVERIES = {
    "good server": [good],
    "cut": [cut(200_000), good],
    "cut before the first byte": [cut(0), good],
    "cut many times": [cut(70_000)] * 4 + [good],
    "closed without an answer": [lambda handler: None, good],
    "silent in the middle": [stall(200_000), good],
    "silent from the start": [stall(0), good],
    "ranges ignored": [send(200, BODY, after=200_000), send(200, BODY)],
    "cut without a length": [send(200, BODY[:200_000], Content_Length=None), good],
    "503": [send(503, PAGE, Content_Type="text/html"), good],
    "429": [send(429), good],
    "damaged once": [send(200, DAMAGED), good],
    "too much without a length": [send(200, BODY + bytes(CHUNK), Content_Length=None), good],
}


@pytest.mark.parametrize("script", RECOVERIES.values(), ids=RECOVERIES)
def test_the_right_bytes_arrive(script: list[Answer], path: Path) -> None:
    with serving(BODY, *script) as server:
        download_file(server.url, path, SIZE, MD5)
    assert path.read_bytes() == BODY
    assert [file.name for file in path.parent.iterdir()] == ["file.zip"]
    assert len(server.requests) == len(script)
    assert {request["user-agent"] for request in server.requests} == {"skinlesion"}  # Dataverse refuses requests' own


def test_a_cut_download_resumes_where_it_was(path: Path) -> None:
    with serving(BODY, cut(200_000), stall(30_000), good) as server:
        download_file(server.url, path, SIZE, MD5)
    starts = [int(request.get("range", "bytes=0-")[6:-1]) for request in server.requests]
    assert starts == sorted(starts)
    assert 200_000 - CHUNK < starts[1] <= 200_000
    assert path.read_bytes() == BODY


def test_a_killed_download_resumes(path: Path, part: Path) -> None:
    code = "import sys; from pathlib import Path; from skinlesion.runtime.transfer import download_file\n"
    code += "download_file(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
    with serving(BODY, stall(4 * CHUNK), good) as server:
        process = subprocess.Popen([sys.executable, "-c", code, server.url, str(path), str(SIZE), MD5])
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < 2 * CHUNK:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = part.stat().st_size
        download_file(server.url, path, SIZE, MD5)
    assert server.requests[1]["range"] == f"bytes={left}-"
    assert path.read_bytes() == BODY


def test_a_complete_file_is_not_requested(path: Path, part: Path) -> None:
    part.write_bytes(BODY)  # killed between the last byte and the move
    with serving(BODY) as server:
        for _ in range(2):
            download_file(server.url, path, SIZE, MD5)
    assert path.read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize("name", ["file.zip", "file.zip.part"])
@pytest.mark.parametrize("content", [b"old" * 1000, DAMAGED, BODY + b"more"], ids=["short", "damaged", "long"])
def test_wrong_bytes_of_an_earlier_run_are_replaced(name: str, content: bytes, path: Path, part: Path) -> None:
    path.with_name(name).write_bytes(content)
    with serving(BODY) as server:
        download_file(server.url, path, SIZE, MD5)
    assert path.read_bytes() == BODY
    assert not part.exists()


# What the server does, the remedy's word, the number of requests.
BAD_SERVERS = {
    "403": ([send(403, PAGE, Content_Type="text/html")], "browser", 1),
    "404": ([send(404)], "newer version", 1),
    "another range": ([cut(70_000), another_range], "browser", 2),
    "redirected for ever": ([send(302, Location="/file")], "browser", 31),
    "a web page": ([send(200, PAGE)], "browser", 1),
    "a web page without a length": ([send(200, PAGE, Content_Type="text/html", Content_Length=None)], "browser", 1),
    "a longer file": ([send(200, BODY + b"more")], "browser", 1),
    "another file": ([send(200, DAMAGED)], "newer version", 2),
    "endless": ([send(200, BODY + bytes(CHUNK), Content_Length=None)], "newer version", 2),
    "busy": ([send(503)], "Run again in some minutes", 3),
    "cut each time": ([send(200, BODY, after=70_000)], "run again", 3),
    "silent": ([stall(0)], "run again", 3),
}


@pytest.mark.parametrize(("script", "remedy", "requests"), BAD_SERVERS.values(), ids=BAD_SERVERS)
def test_a_bad_server_is_named_with_a_remedy(
    script: list[Answer], remedy: str, requests: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TRIES", 3)
    with serving(BODY, *script) as server, pytest.raises(UserError, match=remedy) as caught:
        download_file(server.url, path, SIZE, MD5)
    assert server.url in str(caught.value)
    assert len(server.requests) == requests
    assert not path.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/file", "https://server.invalid/file", "https://plain/file"])
def test_a_bad_connection_is_named_with_a_remedy(url: str, path: Path) -> None:
    with serving(BODY) as server:  # it does not speak https
        url = url.replace("plain", f"127.0.0.1:{server.server_port}")
        with pytest.raises(UserError, match=r"HTTPS_PROXY.*REQUESTS_CA_BUNDLE") as caught:
            download_file(url, path, SIZE, MD5)
    assert url in str(caught.value)


def test_a_refusal_keeps_what_has_arrived(path: Path, part: Path) -> None:
    with serving(BODY, cut(200_000), send(403), good) as server:
        with pytest.raises(UserError, match=f"of {SIZE:,} bytes are kept in {part}"):
            download_file(server.url, path, SIZE, MD5)
        assert BODY.startswith(part.read_bytes())
        download_file(server.url, path, SIZE, MD5)
    assert server.requests[2]["range"] != "bytes=0-"
    assert path.read_bytes() == BODY


def test_pauses_double_and_progress_renews_the_tries(path: Path, pauses: list[float]) -> None:
    with serving(BODY, send(500), send(500), cut(CHUNK + 9), send(500)) as server, pytest.raises(UserError):
        download_file(server.url, path, SIZE, MD5)
    seconds = [transfer.PAUSE * 2**number for number in range(transfer.TRIES - 1)]
    assert pauses == seconds[:2] + seconds


def test_room_counts_what_has_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=5000))
    check_room(scratch, 5000)
    with pytest.raises(UserError, match="Free some space") as caught:
        check_room(scratch, 5001)
    assert str(tmp_path) in str(caught.value)
    scratch.mkdir()
    (scratch / "file.zip.part").write_bytes(b"x")
    check_room(scratch, 5001)
