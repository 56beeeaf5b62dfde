"""No token and no password reaches a terminal or a file, whatever goes wrong at Kaggle or on the way there."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.helpers.chain import ROOT

pytestmark = pytest.mark.chain

SECRET = "KGAT_0123456789/abcdef:planted"
NAME = "somebody"
# As it is, as a header holds it, as an address holds it, and a part of it: none may be told.
DISGUISES = [
    SECRET,
    *(base64.b64encode(f"{name}:{SECRET}".encode()).decode() for name in (NAME, "user")),
    quote(SECRET, safe=""),
    "abcdef:planted",
]
# Stands in for the start of every process: the package speaks plain HTTP to "localhost", there is room on the disk.
START = "import shutil, types; shutil.disk_usage = lambda _: types.SimpleNamespace(free=1e12)\n"


class Refusing(BaseHTTPRequestHandler):
    """A proxy that answers in the place of Kaggle, by the script of (status, type, body)."""

    server: "Proxy"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append(f"{self.command} {self.path}\n{self.headers}\n{self.rfile.read(length).decode()}")
        number = min(len(self.server.seen), len(self.server.script)) - 1
        status, kind, body = self.server.script[number]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_GET = do_POST = do_CONNECT = answer

    def log_message(self, *_: object) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *script: tuple[int, str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Refusing)
        self.script, self.seen = script, []


@contextmanager
def proxy(*script: tuple[int, str, bytes]) -> Iterator[Proxy]:
    with Proxy(*script) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def echo(status: int, **content: Any) -> tuple[int, str, bytes]:
    """An answer in JSON that quotes the secret, as a careless server may."""
    return (
        status,
        "application/json",
        json.dumps({"code": status, "message": f"bad token {SECRET}", **content}).encode(),
    )


PAGE = (200, "text/html", f"<html>{SECRET}</html>".encode())
KNOWN = (200, "application/json", json.dumps({"active": True, "username": NAME}).encode())
NO_ZIP = (200, "application/zip", b"PK no zip")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    (path / ".kaggle").mkdir(parents=True)
    return path


@pytest.fixture
def run(
    tmp_path: Path, home: Path, write_params: Callable[[Path, dict[str, Any]], Path]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`run(["stages.download"], KAGGLE_KEY=...)`: a module in a tiny project that asks Kaggle through a local proxy."""
    project = tmp_path / "project"
    project.mkdir()
    write_params(project / "params.yaml", {"data.source": "kaggle"})
    start = tmp_path / "start"
    start.mkdir()
    (start / "sitecustomize.py").write_text(START)
    outside = ("KAGGLE", "XDG_CONFIG", "VERBOSE", "SKINLESION", "HTTP", "HTTPS", "ALL_PROXY", "NO_PROXY")
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(outside)}

    def start_module(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(start), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=project,
            env={
                **clean,
                "HOME": str(home),
                "PYTHONPATH": paths,
                "PYTHONDONTWRITEBYTECODE": "1",
                "KAGGLE_API_ENVIRONMENT": "LOCALHOST",  # plain HTTP, which a proxy can answer
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return start_module


def told(done: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """Where a secret is told: on the terminal, or in a file below `folder` that is not where it was planted."""
    planted = folder / "home" / ".kaggle"
    places = {"stdout": done.stdout, "stderr": done.stderr}
    for path in folder.rglob("*"):
        if path.is_file() and path.parent != planted:
            places[str(path)] = path.read_bytes().decode(errors="replace")
    return [place for place, text in places.items() if any(disguise in text for disguise in DISGUISES)]


def received(server: Proxy) -> bool:
    """Whether the secret was used at all: else the test would test nothing."""
    return any(disguise in request for request in server.seen for disguise in DISGUISES)


def key_file(home: Path) -> None:
    (home / ".kaggle" / "kaggle.json").write_text(json.dumps({"username": NAME, "key": SECRET}))


def token_file(home: Path) -> None:
    (home / ".kaggle" / "access_token").write_text(SECRET)


TOKEN = {"KAGGLE_API_TOKEN": SECRET}
KEY = {"KAGGLE_USERNAME": NAME, "KAGGLE_KEY": SECRET}
LOUD = {"SKINLESION_VERBOSE": "1"}
# Where the secret is planted, what Kaggle answers, the end of the message's first sentence.
REFUSALS = {
    "token, 401": (TOKEN, None, [echo(401)], "Signing in at Kaggle failed. Received: HTTP 401"),
    "token, 403": (TOKEN, None, [echo(403)], "data.source: kaggle needs credentials. Received: none, or a token"),
    "token, 429, loud": (TOKEN | LOUD, None, [echo(429)], "Signing in at Kaggle failed. Received: HTTP 429"),
    "token, a page, loud": (TOKEN | LOUD, None, [PAGE], "Signing in at Kaggle failed. Received: "),
    "token, then 404, loud": (
        TOKEN | LOUD, None, [KNOWN, KNOWN, echo(404)], "The download at Kaggle failed. Received: HTTP 404"
    ),
    "token, then 403, verbose package": (
        TOKEN | {"VERBOSE": "1"}, None, [KNOWN, KNOWN, echo(403)], "The download at Kaggle failed. Received: HTTP 403"
    ),
    "token, then no zip, loud": (TOKEN | LOUD, None, [KNOWN, KNOWN, NO_ZIP], "Cannot read "),
    "token in a file, 500, loud": (LOUD, token_file, [echo(500)], "Signing in at Kaggle failed. Received: HTTP 500"),
    "key, 401, loud": (KEY | LOUD, None, [echo(401)], "The download at Kaggle failed. Received: HTTP 401"),
    "key in a file, 403": ({}, key_file, [echo(403)], "The download at Kaggle failed. Received: HTTP 403"),
    "key in a file, 407, loud": (LOUD, key_file, [echo(407)], "The download at Kaggle failed. Received: HTTP 407"),
}  # fmt: skip


@pytest.mark.parametrize(("planted", "plant", "script", "words"), REFUSALS.values(), ids=REFUSALS)
def test_kaggles_credentials_are_told_to_kaggle_alone(
    planted: dict[str, str],
    plant: Callable[[Path], None] | None,
    script: list,
    words: str,
    home: Path,
    run: Callable,
    tmp_path: Path,
) -> None:
    if plant:
        plant(home)
    with proxy(*script) as server:
        done = run(["stages.download"], http_proxy=f"http://127.0.0.1:{server.server_port}", **planted)
        assert received(server)
    assert done.returncode == 1
    assert f"download: {words}" in done.stderr
    assert ("Traceback" in done.stderr) == ("SKINLESION_VERBOSE" in planted)
    assert told(done, tmp_path) == []


@pytest.mark.parametrize("token", [f"{SECRET}\nX: y", SECRET * 500], ids=["lines", "long"])
def test_a_token_that_no_header_can_hold(token: str, run: Callable, tmp_path: Path) -> None:
    with proxy(echo(401)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        done = run(["stages.download"], http_proxy=address, KAGGLE_API_TOKEN=token, **LOUD)
    assert done.returncode == 1
    assert told(done, tmp_path) == []


PROXIES = {
    "refusing": "http://user:{quoted}@127.0.0.1:{port}",
    "of an odd port": "http://user:{quoted}@127.0.0.1:99999",
    "without care for signs": "http://user:{secret}@127.0.0.1:{port}",
}


@pytest.mark.parametrize("source", ["kaggle", "dataverse"])
@pytest.mark.parametrize("address", PROXIES.values(), ids=PROXIES)
def test_a_proxys_password_is_told_to_the_proxy_alone(
    address: str, source: str, run: Callable, tmp_path: Path, write_params: Callable
) -> None:
    write_params(tmp_path / "project" / "params.yaml", {"data.source": source})
    with (tmp_path / "start" / "sitecustomize.py").open("a") as start:
        start.write("import time; time.sleep = lambda _: None\n")
    with proxy(echo(407)) as server:
        named = address.format(secret=SECRET, quoted=quote(SECRET, safe=""), port=server.server_port)
        done = run(["stages.download"], http_proxy=named, https_proxy=named, **KEY, **LOUD)
        assert received(server) == (address == PROXIES["refusing"])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("download: The download ")
    assert told(done, tmp_path) == []
