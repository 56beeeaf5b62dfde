"""No token and no password reaches a terminal or a file, whatever fails at Kaggle or on the way there."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.helpers.chain import ROOT
from tests.helpers.server import Answer, Server, send, serving

pytestmark = pytest.mark.chain

SECRET = "KGAT_0123456789/abcdef:planted"
NAME = "somebody"
# The secret as it is, as in a header, as in an address, and a part of it.
FORMS = [
    SECRET,
    *(base64.b64encode(f"{name}:{SECRET}".encode()).decode() for name in (NAME, "user")),
    quote(SECRET, safe=""),
    "abcdef:planted",
]
# Run at the start of every process: there is space on the disk, and no pause between tries.
START = """
import shutil, time, types
shutil.disk_usage = lambda _: types.SimpleNamespace(free=1e12)
time.sleep = lambda _: None
"""


def echo(code: int) -> Answer:
    """An answer in JSON that quotes the secret, as a careless server may."""
    content = {"code": code, "message": f"bad token {SECRET}"}
    return send(code, json.dumps(content).encode(), Content_Type="application/json")


PAGE = send(200, f"<html>{SECRET}</html>".encode(), Content_Type="text/html")
KNOWN = send(200, json.dumps({"active": True, "username": NAME}).encode(), Content_Type="application/json")
NO_ZIP = send(200, b"PK no zip", Content_Type="application/zip")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "home" / ".kaggle"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def run(tmp_path: Path, credentials: Path, write_params: Callable[[Path, dict[str, Any]], Path]) -> Run:
    """`run("kaggle", KAGGLE_KEY=...)`: the stage download in a tiny project, with this data.source and environment."""
    project, start = tmp_path / "project", tmp_path / "start"
    project.mkdir()
    start.mkdir()
    (start / "sitecustomize.py").write_text(START)
    removed = ("KAGGLE", "XDG_CONFIG", "VERBOSE", "SKINLESION", "HTTP", "HTTPS", "ALL_PROXY", "NO_PROXY")
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(removed)}

    def run_stage(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
        write_params(project / "params.yaml", {"data.source": source})
        ours = {
            "HOME": str(credentials.parent),
            "PYTHONPATH": os.pathsep.join([str(start), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",  # the package speaks plain HTTP, which a proxy can answer
        }
        return subprocess.run(
            [sys.executable, "-m", "stages.download"],
            cwd=project,
            env=clean | ours | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_stage


def leaks(done: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """Where the secret is: the terminal, or a file below `folder` other than the planted ones."""
    texts = {"stdout": done.stdout, "stderr": done.stderr}
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != ".kaggle":
            texts[str(path)] = path.read_bytes().decode(errors="replace")
    return [name for name, text in texts.items() if any(form in text for form in FORMS)]


def was_used(server: Server) -> bool:
    """Whether the secret reached the server: otherwise the test would test nothing."""
    return any(form in request["text"] for request in server.requests for form in FORMS)


TOKEN = {"KAGGLE_API_TOKEN": SECRET}
KEY = {"KAGGLE_USERNAME": NAME, "KAGGLE_KEY": SECRET}
KEY_FILE = {"kaggle.json": json.dumps({"username": NAME, "key": SECRET})}
TOKEN_FILE = {"access_token": SECRET}
VERBOSE = {"SKINLESION_VERBOSE": "1"}
LOUD_PACKAGE = {"VERBOSE": "1", "VERBOSE_OUTPUT": "1"}  # each would make it print its requests, with the token
# The planted environment and files, the answers of Kaggle, a word of the message.
REFUSALS = {
    "token, 403": (TOKEN, {}, [echo(403)], "needs credentials"),
    "token, 429": (TOKEN | VERBOSE, {}, [echo(429)], "HTTP 429"),
    "token, a page": (TOKEN | VERBOSE, {}, [PAGE], "Kaggle failed"),
    "token, then 404": (TOKEN | VERBOSE, {}, [KNOWN, KNOWN, echo(404)], "HTTP 404"),
    "token, then 403, verbose package": (TOKEN | LOUD_PACKAGE, {}, [KNOWN, KNOWN, echo(403)], "HTTP 403"),
    "token, then no zip": (TOKEN | VERBOSE, {}, [KNOWN, KNOWN, NO_ZIP], "Download it again"),
    "token in a file, 500": (VERBOSE, TOKEN_FILE, [echo(500)], "HTTP 500"),
    "key, 401": (KEY | VERBOSE, {}, [echo(401)], "HTTP 401"),
    "key in a file, 407": (VERBOSE, KEY_FILE, [echo(407)], "HTTP 407"),
}


@pytest.mark.parametrize(("environment", "files", "script", "word"), REFUSALS.values(), ids=REFUSALS)
def test_credentials_reach_kaggle_only(
    environment: dict, files: dict, script: list[Answer], word: str, credentials: Path, run: Run, tmp_path: Path
) -> None:
    for name, content in files.items():
        (credentials / name).write_text(content)
    with serving(b"", *script) as server:
        done = run("kaggle", http_proxy=server.address, **environment)
    assert was_used(server)
    assert done.returncode == 1
    assert word in done.stderr.splitlines()[-1]
    assert ("Traceback" in done.stderr) == ("SKINLESION_VERBOSE" in environment)
    assert leaks(done, tmp_path) == []


@pytest.mark.parametrize("token", [f"{SECRET}\nX: y", SECRET * 500], ids=["two lines", "long"])
def test_a_token_that_no_header_can_hold_is_not_shown(token: str, run: Run, tmp_path: Path) -> None:
    with serving(b"", echo(401)) as server:
        done = run("kaggle", http_proxy=server.address, KAGGLE_API_TOKEN=token, **VERBOSE)
    assert done.returncode == 1
    assert leaks(done, tmp_path) == []


PROXIES = {
    "refuses": "http://user:{quoted}@127.0.0.1:{port}",
    "no address": "http://user:{quoted}@[1",
    "impossible port": "http://user:{quoted}@127.0.0.1:99999",
    "password not quoted": "http://user:{secret}@127.0.0.1:{port}",
}


@pytest.mark.parametrize("source", ["kaggle", "dataverse"])
@pytest.mark.parametrize("kind", PROXIES)
def test_a_password_reaches_the_proxy_only(kind: str, source: str, run: Run, tmp_path: Path) -> None:
    with serving(b"", echo(407)) as server:
        address = PROXIES[kind].format(secret=SECRET, quoted=quote(SECRET, safe=""), port=server.server_port)
        done = run(source, http_proxy=address, https_proxy=address, **KEY, **VERBOSE)
    assert was_used(server) == (kind == "refuses")
    assert done.returncode == 1
    assert "failed" in done.stderr.splitlines()[-1]
    assert leaks(done, tmp_path) == []
