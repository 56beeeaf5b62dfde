"""The HTTP API, and the limits of the server."""

import argparse
import asyncio
import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from skinlesion.commands.demo import command, server, uploads
from skinlesion.commands.demo.lazy_classifier import LazyClassifier
from skinlesion.core.ham10000 import CODES
from skinlesion.model.classify import RESEARCH_ONLY, Classifier
from skinlesion.runtime.errors import UserError

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def client(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    app = server.create_app(LazyClassifier(model_file), tmp_path_factory.mktemp("demo"), ["127.0.0.1", "[::1]"])
    return TestClient(app, "http://127.0.0.1")


def test_an_image_s_bytes_give_the_probabilities_of_the_library(client, model_file, noise, jpeg, tmp_path):
    (tmp_path / "x.jpg").write_bytes(jpeg(noise(1)))
    response = client.post("/api/predict", content=jpeg(noise(1)))
    content = response.json()
    assert response.status_code == 200
    assert content["probabilities"] == pytest.approx(Classifier.load(model_file).predict(tmp_path / "x.jpg"))
    assert set(content["names"]) == set(CODES)
    assert content["unlike_training"] is True, "noise looks unlike drawings of lesions"
    assert content["too_small"] is True, "30 px for a model of 64"
    assert content["distance"] > content["limit"]
    assert content["notice"] == RESEARCH_ONLY


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [(b"", 400, "empty"), (b"no image", 400, "JPEG"), (bytes(uploads.MOST_BYTES + 1), 413, "20 MB")],
    ids=["empty", "text", "large"],
)
def test_an_unusable_body_is_answered_by_its_fault(content, status, word, client):
    response = client.post("/api/predict", content=content)
    assert response.status_code == status
    assert word in response.json()["error"]


def test_without_a_model_the_answer_is_the_command_that_makes_one(tmp_path):
    response = server.respond(LazyClassifier(tmp_path / "model.keras"), b"")
    assert response.status_code == 503
    assert "dvc repro" in response.body.decode()


def test_the_page_is_served_and_loads_nothing_of_other_sites(client):
    assert client.get("/").status_code == 200
    for route in ("file=http://127.0.0.1:1/x.png", "proxy=https://127.0.0.1:1/x.png"):
        assert client.get(f"/gradio_api/{route}").status_code == 403
    assert "swagger" not in client.get("/docs").text.lower()


@pytest.mark.parametrize("path", ["/", "/config", "/api/predict"])
def test_a_site_whose_name_leads_to_this_machine_is_refused(path, client):
    for host, refused in (("rebound.example:7860", True), ("", True), ("127.0.0.1:7860", False), ("[::1]:7860", False)):
        assert (client.get(path, headers={"host": host}).status_code == 400) == refused, host


def test_only_on_this_machine_the_host_is_checked(monkeypatch):
    served = []
    monkeypatch.setattr(server, "serve", lambda model, host, port, names: served.append(names))
    parser = argparse.ArgumentParser()
    command.add(parser)
    for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):
        command.run(parser.parse_args(["--host", host]))
    assert served == 3 * [("127.0.0.1", "localhost", "::1", "[::1]")] + [("*",)]


@pytest.mark.parametrize("path", ["/api/predict", "/gradio_api/upload"])
def test_an_upload_that_breaks_off_is_one_line(path, client, capsys):
    messages = [{"type": "http.request", "body": b"--x\r\n", "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        pass

    asyncio.run(client.app(scope, receive, send))
    assert capsys.readouterr().out == "demo: an upload broke off before its end\n"


def test_it_listens_only_on_this_machine_unless_asked():
    parser = argparse.ArgumentParser()
    command.add(parser)
    assert parser.parse_args([]).host == "127.0.0.1"


def test_a_port_in_use_is_named_with_the_remedy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port} .*free port"):
            server.serve(tmp_path / "model.keras", "127.0.0.1", port, ["*"])
