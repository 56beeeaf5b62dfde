"""A download ends with the right bytes or with none, whatever the server does; a bad local server tries it."""

import errno
import hashlib
import io
import random
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from skinlesion.download import responses, transfer
from skinlesion.download.transfer import check_room, fetch, missing
from skinlesion.runtime.errors import UserError

BODY = random.Random(1).randbytes(5 * transfer.CHUNK + 17)
SECRET = "hunter2-0123456789"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


MD5 = md5(BODY)

# A local server that follows a script: the n-th request gets the n-th answer, the last one again and again.


class Handler(BaseHTTPRequestHandler):
    server: "BadServer"

    def do_GET(self) -> None:
        self.server.seen.append({"path": self.path, **{name.lower(): self.headers[name] for name in self.headers}})
        number = min(len(self.server.seen), len(self.server.script)) - 1
        self.server.script[number](self)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


class BadServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, body: bytes, *script: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.script, self.seen = body, script or (good,), []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, *_: object) -> None:
        """A client that goes away is expected."""


@contextmanager
def serving(body: bytes, *script: Callable[[Handler], None]) -> Iterator[BadServer]:
    with BadServer(body, *script) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()


def asked_for(handler: Handler) -> bytes:
    """Send the head of what is asked for, by Range and If-Range; return its bytes."""
    body = handler.server.body
    tag = f'"{md5(body)}"'
    found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(found[1]) if found and handler.headers.get("If-Range", tag) == tag else 0
    if start >= len(body):
        handler.head(416, Content_Range=f"bytes */{len(body)}")
        return b""
    extra = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
    handler.head(206 if start else 200, Content_Length=len(body) - start, ETag=tag, **extra)
    return body[start:]


def good(handler: Handler) -> None:
    handler.wfile.write(asked_for(handler))


def cut(after: int) -> Callable[[Handler], None]:
    """Drop the connection after so many bytes."""
    return lambda handler: handler.wfile.write(asked_for(handler)[:after])


def stall(after: int) -> Callable[[Handler], None]:
    """Send so many bytes, then nothing, with the connection open."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(asked_for(handler)[:after])
        handler.server.over.wait(20)

    return answer


def status(code: int, body: bytes = b"no", **headers: object) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(code, Content_Length=len(body), **headers)
        handler.wfile.write(body)

    return answer


def whole(content: bytes | None = None, after: int | None = None, **headers: object) -> Callable[[Handler], None]:
    """The whole file, or other content, with 200, deaf to ranges; cut off `after` so many bytes."""

    def answer(handler: Handler) -> None:
        body = handler.server.body if content is None else content
        handler.head(200, **({"Content_Length": len(body)} | headers))
        handler.wfile.write(body[:after])

    return answer


def without_length(handler: Handler) -> None:
    handler.head(200)
    handler.wfile.write(handler.server.body)


def claiming(difference: int) -> Callable[[Handler], None]:
    """The whole file under a wrong Content-Length."""
    return lambda handler: whole(Content_Length=len(handler.server.body) + difference)(handler)


def another_part(handler: Handler) -> None:
    body = handler.server.body
    handler.head(206, Content_Length=len(body) - 5, Content_Range=f"bytes 5-{len(body) - 1}/{len(body)}")
    handler.wfile.write(body[5:])


def part_of(other: bytes) -> Callable[[Handler], None]:
    """Deaf to If-Range: what is asked for, from another state of the file."""

    def answer(handler: Handler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        extent = f"bytes {start}-{len(other) - 1}/{len(other)}"
        handler.head(206, Content_Length=len(other) - start, Content_Range=extent, ETag='"other"')
        handler.wfile.write(other[start:])

    return answer


def becoming(other: bytes) -> Callable[[Handler], None]:
    """The file has changed since the last request."""

    def answer(handler: Handler) -> None:
        handler.server.body = other
        good(handler)

    return answer


CORRUPT = whole(BODY[:100] + b"?" + BODY[101:])
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny waits, and no proxy of this machine."""
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    monkeypatch.setattr(transfer, "TIMEOUT", (5, 1))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.zip"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, in seconds, which are not waited."""
    waited: list[float] = []
    monkeypatch.setattr(transfer, "time", SimpleNamespace(sleep=waited.append))
    return waited


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


RECOVERIES = {
    "a good server": [good],
    "cut in the middle": [cut(200_000), good],
    "cut before the first byte": [cut(0), good],
    "cut many times": [cut(70_000)] * 4 + [good],
    "silent in the middle": [stall(200_000), good],
    "silent from the beginning": [stall(0), good],
    "deaf to ranges": [whole(after=200_000), whole()],
    "no ETag": [whole(after=200_000), good],
    "no length": [without_length],
    "another part than asked for": [cut(200_000), another_part, good],
    "nothing more to send": [cut(200_000), status(416), good],
    "a changed file under an old range": [cut(200_000), part_of(b"x" * len(BODY)), good],
    "503, then fine": [status(503), good],
    "a web page with 503, then fine": [status(503, HTML, Content_Type="text/html"), good],
    "429, then fine": [status(429, Retry_After=0), good],
    "429 with a senseless wait": [status(429, Retry_After="soon"), good],
    "corrupted once": [CORRUPT, good],
    "a length that is too small": [claiming(-9), good],
    "a length that is too large": [claiming(9), good],
}


@pytest.mark.parametrize("script", RECOVERIES.values(), ids=RECOVERIES)
def test_the_right_bytes_arrive_and_nothing_else_stays(script: list[Callable], path: Path) -> None:
    with serving(BODY, *script) as server:
        fetch(server.url, path, md5=MD5)
        assert path.read_bytes() == BODY
        assert names(path) == ["file.zip"]
        assert len(server.seen) == len(script)
        agents = {request["user-agent"] for request in server.seen}
        assert agents == {"skinlesion"}, "requests' own name is refused by Dataverse"


@pytest.mark.parametrize("known", [{}, {"size": len(BODY)}, {"size": len(BODY), "md5": MD5}], ids=len)
def test_a_cut_download_goes_on_where_it_was(known: dict, path: Path) -> None:
    with serving(BODY, cut(200_000), stall(30_000), good) as server:
        fetch(server.url, path, **known)
        assert path.read_bytes() == BODY
        starts = [int(request.get("range", "bytes=0-")[6:-1]) for request in server.seen]
        assert starts == sorted(starts)
        assert 200_000 - transfer.CHUNK < starts[1] <= 200_000
        assert server.seen[1]["if-range"] == f'"{MD5}"'


def test_without_md5_or_version_nothing_is_appended(path: Path) -> None:
    with serving(BODY, whole(after=200_000), whole()) as server:
        fetch(server.url, path)
        assert path.read_bytes() == BODY
        assert "range" not in server.seen[1]


def test_a_server_deaf_to_if_range_makes_no_mixture(path: Path) -> None:
    with serving(BODY, cut(200_000), part_of(b"x" * len(BODY)), good) as server:
        fetch(server.url, path)
    assert path.read_bytes() == BODY


def test_without_the_servers_length_the_known_one_tells_a_cut(path: Path) -> None:
    def short(handler: Handler) -> None:
        handler.head(200)
        handler.wfile.write(BODY[:200_000])

    with serving(BODY, short, good) as server:
        fetch(server.url, path, len(BODY))
    assert path.read_bytes() == BODY


def test_a_file_that_changes_between_tries_is_begun_anew(path: Path) -> None:
    other = BODY[::-1] + b"longer"
    with serving(BODY, cut(200_000), becoming(other)) as server:
        fetch(server.url, path)
        assert path.read_bytes() == other


def test_a_file_that_has_changed_since_the_last_run_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    transfer.partial(path).write_bytes(b"old" * 1000)
    with serving(BODY) as server:
        fetch(server.url, path, len(BODY), MD5)
        assert path.read_bytes() == BODY
        assert [request.get("range") for request in server.seen] == ["bytes=3000-", None]


def test_without_md5_what_an_earlier_run_left_is_not_believed(path: Path) -> None:
    path.parent.mkdir()
    transfer.partial(path).write_bytes(b"old" * 1000)
    with serving(BODY) as server:
        fetch(server.url, path, len(BODY))
        assert path.read_bytes() == BODY


def test_what_is_there_and_whole_is_not_asked_for(path: Path) -> None:
    with serving(BODY) as server:
        fetch(server.url, path, len(BODY), MD5)
        fetch(server.url, path, len(BODY), MD5)
        assert len(server.seen) == 1
        path.replace(transfer.partial(path))  # killed between the last byte and the move
        fetch(server.url, path, len(BODY), MD5)
        assert len(server.seen) == 1
        assert path.read_bytes() == BODY


@pytest.mark.parametrize("there", [BODY[:-1], BODY[:-1] + b"?"], ids=["too short", "damaged"])
def test_what_is_there_and_wrong_is_replaced(there: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(there)
    with serving(BODY) as server:
        fetch(server.url, path, len(BODY), MD5)
    assert path.read_bytes() == BODY


def test_after_a_wrong_checksum_the_next_run_starts_clean(path: Path) -> None:
    with serving(BODY, CORRUPT, CORRUPT, good) as server:
        with pytest.raises(UserError, match="MD5"):
            fetch(server.url, path, len(BODY), MD5)
        assert names(path) == []
        assert len(server.seen) == 2
        fetch(server.url, path, len(BODY), MD5)
        assert "range" not in server.seen[2]
    assert path.read_bytes() == BODY


def test_a_web_page_leaves_what_has_arrived_alone(path: Path) -> None:
    with serving(BODY, cut(200_000), status(200, HTML), good) as server:
        with pytest.raises(UserError, match="web page"):
            fetch(server.url, path, len(BODY), MD5)
        assert BODY.startswith(transfer.partial(path).read_bytes())
        fetch(server.url, path, len(BODY), MD5)
        assert server.seen[2]["range"] != "bytes=0-"
    assert path.read_bytes() == BODY


def test_of_two_at_once_the_second_is_refused_and_the_first_goes_on(path: Path) -> None:
    with serving(BODY, good) as server:
        path.parent.mkdir()
        with transfer.alone(path), pytest.raises(UserError, match="is being downloaded by another process"):
            fetch(server.url, path, len(BODY), MD5)
        assert server.seen == []
        fetch(server.url, path, len(BODY), MD5)
    assert names(path) == ["file.zip"]


def test_a_killed_download_resumes(path: Path) -> None:
    code = "import sys; from pathlib import Path; from skinlesion.download.transfer import fetch\n"
    code += "fetch(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
    with serving(BODY, stall(4 * transfer.CHUNK), good) as server:
        command = [sys.executable, "-c", code, server.url, str(path), str(len(BODY)), MD5]
        killed = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while transfer.bytes_of(transfer.partial(path)) < 2 * transfer.CHUNK:
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert names(path) == ["file.zip.lock", "file.zip.part"]
        left = transfer.bytes_of(transfer.partial(path))
        fetch(server.url, path, len(BODY), MD5)
        assert server.seen[1]["range"] == f"bytes={left}-"
    assert path.read_bytes() == BODY


def test_pauses_double_and_tries_are_counted(path: Path, pauses: list[float]) -> None:
    with serving(BODY, status(500)) as server, pytest.raises(UserError, match="HTTP 500"):
        fetch(server.url, path, md5=MD5)
    assert len(server.seen) == transfer.TRIES
    assert pauses == [transfer.PAUSE * 2**number for number in range(transfer.TRIES - 1)]


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 0), ("86400", responses.PATIENCE)])
def test_the_server_says_how_long_to_wait(asked: str, waited: float, path: Path, pauses: list[float]) -> None:
    with serving(BODY, status(429, Retry_After=asked), good) as server:
        fetch(server.url, path)
    assert pauses == [waited]


def test_progress_renews_the_tries(path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "TRIES", 2)
    monkeypatch.setattr(transfer, "STEP", transfer.CHUNK)
    with serving(BODY, *[cut(transfer.CHUNK + 9)] * 4, good) as server:
        fetch(server.url, path, md5=MD5)
    assert path.read_bytes() == BODY
    assert pauses == [transfer.PAUSE] * 4


def test_bytes_that_come_anew_are_no_progress(path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "STEP", transfer.CHUNK)
    with serving(BODY, whole(after=200_000)) as server, pytest.raises(UserError, match="cut"):
        fetch(server.url, path, md5=MD5)
    assert len(server.seen) == transfer.TRIES


def test_nothing_flows_before_there_is_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=len(BODY) - 1))
    with serving(BODY) as server, pytest.raises(UserError, match="need 328kB free"):
        fetch(server.url, path, md5=MD5)
    assert not path.parent.joinpath("file.zip.part").exists()


def test_what_has_arrived_needs_no_room_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    transfer.partial(path).write_bytes(BODY[:-10])
    assert missing(path, len(BODY)) == 10
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with serving(BODY) as server:
        fetch(server.url, path, md5=MD5)
    assert path.read_bytes() == BODY
    assert missing(path, len(BODY)) == 0


def test_room_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=5000))
    check_room(tmp_path, 5000)
    with pytest.raises(UserError):
        check_room(tmp_path, 5001)


def disk_of(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files can no longer grow beyond `limit` bytes."""

    class Full(io.BufferedWriter):
        def write(self, content: bytes) -> int:
            if self.tell() + len(content) > limit:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    genuine = Path.open
    writers = ("ab", "wb")
    monkeypatch.setattr(
        Path, "open", lambda p, mode="r", **k: Full(io.FileIO(p, mode)) if mode in writers else genuine(p, mode, **k)
    )


def test_a_disk_that_fills_up_keeps_what_has_arrived(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(BODY) as server:
        with monkeypatch.context() as full:
            disk_of(200_000, full)
            with pytest.raises(UserError, match="full disk"):
                fetch(server.url, path, len(BODY), MD5)
        assert len(server.seen) == 1
        left = transfer.bytes_of(transfer.partial(path))
        assert left == 3 * transfer.CHUNK
        fetch(server.url, path, len(BODY), MD5)
        assert server.seen[1]["range"] == f"bytes={left}-"
    assert path.read_bytes() == BODY


def test_other_errors_of_the_disk_are_not_the_networks(path: Path) -> None:
    path.parent.mkdir()
    transfer.partial(path).mkdir()
    with serving(BODY) as server, pytest.raises(IsADirectoryError):
        fetch(server.url, path, md5=MD5)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://user:{SECRET}@127.0.0.1:1",
        f"http://user:{SECRET}@[1",
        f"ftp://user:{SECRET}@x",
        f"http://u:{SECRET}@127.0.0.1:99999",
    ],
)
def test_a_proxys_password_is_told_to_nobody(proxy: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(transfer, "TRIES", 2)
    with pytest.raises(UserError) as caught:
        fetch("http://elsewhere.invalid/file", path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in str(capsys.readouterr())
