"""What is said of a bad download: each message whole. {url} and {part} stand for the address and the partial file."""

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from skinlesion.download import dataverse, transfer
from skinlesion.download.transfer import fetch
from skinlesion.runtime.errors import UserError
from tests.download.test_transfer import (
    BODY,
    CORRUPT,
    HTML,
    MD5,
    Handler,
    another_part,
    claiming,
    cut,
    disk_of,
    impatient,
    md5,
    serving,
    stall,
    status,
    whole,
)

SIZE = len(BODY)
BROWSER = "Open the address in a browser: it may be down, want a login, or be blocked in this network"
BUSY = "The server is busy: run again in some minutes"
CHANGED = "The published file has moved or changed: look for a newer version of this project"
RESUME = "Check the network, then run again"
PROXY = "Check the network, HTTPS_PROXY and NO_PROXY, then run again"


class Bad(NamedTuple):
    """What the server does, the words after "failed. ", what is known of the file."""

    script: list[Callable[[Handler], None]]
    words: str
    known: dict = {"size": SIZE, "md5": MD5}  # noqa: RUF012 - not changed


def page(code: int) -> Callable[[Handler], None]:
    return status(code, HTML, Content_Type="text/html; charset=utf-8")


def endless(handler: Handler) -> None:
    handler.head(200)
    handler.wfile.write(handler.server.body + bytes(300_000))


BAD_SERVERS = {
    "400": Bad([status(400)], f"Received: HTTP 400. {BROWSER}"),
    "401": Bad([status(401)], f"Received: HTTP 401. {BROWSER}"),
    "403 with a page": Bad([page(403)], f"Received: HTTP 403. {BROWSER}"),
    "404": Bad([status(404)], f"Received: HTTP 404. {CHANGED}"),
    "410": Bad([status(410)], f"Received: HTTP 410. {CHANGED}"),
    "429 for ever": Bad([status(429, Retry_After=0)], f"Received: HTTP 429. {BUSY}"),
    "500 for ever": Bad([status(500)], f"Received: HTTP 500. {BUSY}"),
    "503 with a page, for ever": Bad([page(503)], f"Received: HTTP 503. {BUSY}"),
    "a page with 200": Bad([page(200)], f"Received: a web page instead of the file. {BROWSER}"),
    "a page called data": Bad(
        [status(200, b"\n <HTML>", Content_Type="application/zip")],
        f"Received: a web page instead of the file. {BROWSER}",
    ),
    "403 after a cut": Bad(
        [cut(70_000), status(403)],
        f"Received: HTTP 403. {BROWSER}. 65,536 of 327,697 bytes are kept in {{part}}",
    ),
    "a length above its due": Bad(
        [claiming(9)], f"Received: a file of 327,706 bytes, where 327,697 are due. {CHANGED}"
    ),
    "a length below its due": Bad(
        [claiming(-9)], f"Received: a file of 327,688 bytes, where 327,697 are due. {CHANGED}"
    ),
    "no length, and too much": Bad([endless], f"Received: more than the 327,697 bytes that are due. {CHANGED}"),
    "more promised than sent": Bad([claiming(9)], f"Received: a cut connection. {RESUME}", {}),
    "cut each time": Bad(
        [whole(after=70_000)],
        f"Received: a cut connection. {RESUME}. 65,536 of 327,697 bytes are kept in {{part}}",
    ),
    "cut each time, of unknown length": Bad(
        [whole(after=70_000)],
        f"Received: a cut connection. {RESUME}. 65,536 bytes are kept in {{part}}",
        {"md5": MD5},
    ),
    "cut before anything": Bad([lambda handler: None], f"Received: a cut connection. {RESUME}"),
    "silent each time": Bad(
        [whole(after=70_000), stall(0)],
        f"Received: no answer in time. {RESUME}. 65,536 of 327,697 bytes are kept in {{part}}",
    ),
    "silent from the beginning": Bad(
        [lambda handler: handler.server.over.wait(20)], f"Received: no answer in time. {RESUME}"
    ),
    "never the part that is asked for": Bad(
        [another_part], f"Received: another part of the file than was asked for. {RESUME}"
    ),
    "redirected for ever": Bad([status(302, Location="/file")], f"Received: a request that cannot be made. {PROXY}"),
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    impatient(monkeypatch)
    monkeypatch.setattr(transfer, "TRIES", 3)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    return tmp_path / "file.zip"


def message(url: str, path: Path, **known: object) -> str:
    with pytest.raises(UserError) as caught:
        fetch(url, path, **known)
    assert not path.exists()
    return str(caught.value)


@pytest.mark.parametrize("bad", BAD_SERVERS.values(), ids=BAD_SERVERS)
def test_bad_server(bad: Bad, path: Path) -> None:
    with serving(BODY, *bad.script) as server:
        words = bad.words.format(part=transfer.partial(path))
        assert message(server.url, path, **bad.known) == f"The download of {server.url} failed. {words}"


def test_bad_checksum(path: Path) -> None:
    received = md5(BODY[:100] + b"?" + BODY[101:])
    with serving(BODY, CORRUPT) as server:
        assert message(server.url, path, size=SIZE, md5=MD5) == (
            f"The download of {server.url} must have the MD5 {MD5}. "
            f"Received, twice: {received}; it is removed. {CHANGED}"
        )


def test_bad_disk_too_full_to_begin(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000))
    with serving(BODY) as server:
        assert message(server.url, path, size=SIZE, md5=MD5) == (
            "The download, and what is unpacked from it, need 328kB free on the disk of "
            f"{path.parent}. Received: 300kB. Free some space, then run again"
        )


def test_bad_disk_that_fills_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(BODY) as server, monkeypatch.context() as full:
        disk_of(200_000, full)
        assert message(server.url, path, size=SIZE, md5=MD5) == (
            f"The download of {server.url} failed. Received: a full disk. Free some space, then run again. "
            f"196,608 of 327,697 bytes are kept in {transfer.partial(path)}"
        )


def test_bad_name_of_the_server(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert message("https://dataverse.invalid/1", path) == (
        f"The download of https://dataverse.invalid/1 failed. Received: no address for the server's name. {PROXY}"
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_bad_network(path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}/file"
    assert message(url, path) == f"The download of {url} failed. Received: no connection. {PROXY}"


@pytest.mark.parametrize(
    ("proxy", "received"),
    [
        ("http://user:word@127.0.0.1:{port}", "no way through the proxy"),
        ("http://user:word@[1", "a request that cannot be made"),
        ("gopher://user:word@127.0.0.1", "a request that cannot be made"),
    ],
)
def test_bad_proxy(proxy: str, received: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy.format(port=closed_port()))
    url = "http://dataverse.invalid/1"
    assert message(url, path) == f"The download of {url} failed. Received: {received}. {PROXY}"


def test_bad_encryption(path: Path) -> None:
    with serving(BODY) as server:
        url = server.url.replace("http:", "https:")
        assert message(url, path) == (
            f"The download of {url} failed. Received: an encrypted connection that cannot be trusted. Check this "
            "machine's clock; where a proxy opens encrypted connections, name its certificates in REQUESTS_CA_BUNDLE"
        )


def test_bad_dataverse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = path.parent / "target"
    target.mkdir()
    with serving(BODY, page(403)) as server, pytest.raises(UserError) as caught:
        monkeypatch.setattr(dataverse, "SERVER", server.url)
        dataverse.download(target)
    assert str(caught.value) == (
        f"The download of {server.url}/api/access/datafile/4338392?format=original failed. Received: HTTP 403. "
        f"{BROWSER}. Without this download: fetch both part zips and the metadata (original format) from "
        "https://doi.org/10.7910/DVN/DBW86T in a browser into one folder, set data.source: archive and "
        "data.archive: its path; or set data.source: sample"
    )
