"""The HTTP API, and what the server keeps to itself."""

import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from skinlesion.commands.demo import command, server, uploads
from skinlesion.commands.demo.answers import WhenTrained
from skinlesion.model.classify import RESEARCH_ONLY
from skinlesion.runtime.errors import UserError


@pytest.fixture(scope="module")
def client(model_file):
    with server.temporary_folder() as folder:
        yield TestClient(server.application(WhenTrained(model_file), "http://here", folder))
    assert not folder.exists()


def test_an_image_s_bytes_give_seven_probabilities(client, noise, jpeg):
    response = client.post("/api/predict", content=jpeg(noise(1)))
    content = response.json()
    assert response.status_code == 200
    assert len(content["probabilities"]) == len(content["names"]) == 7
    assert sum(content["probabilities"].values()) == pytest.approx(1)
    assert content["usual"] is False, "noise is no dermatoscopy"
    assert content["distance"] > content["limit"]
    assert content["notice"] == RESEARCH_ONLY


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [(b"no image", 400, "no picture"), (bytes(uploads.MOST_BYTES + 1), 413, "larger than")],
    ids=["text", "large"],
)
def test_what_cannot_be_read_gets_a_sentence(content, status, words, client):
    response = client.post("/api/predict", content=content)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_without_a_model_it_says_what_to_run(tmp_path, noise, jpeg):
    app = server.application(WhenTrained(tmp_path / "model.keras"), "http://here", tmp_path)
    response = TestClient(app).post("/api/predict", content=jpeg(noise(1)))
    assert response.status_code == 503
    assert "dvc repro" in response.json()["error"]


def test_it_fetches_nothing_for_others_and_has_no_page_from_a_cdn(client):
    assert client.get("/gradio_api/file=http://127.0.0.1:1/x.png").status_code == 403
    assert client.get("/gradio_api/proxy=https://127.0.0.1:1/x.png").status_code == 403
    assert "swagger" not in client.get("/docs").text.lower()


def test_it_listens_on_this_machine_alone_unless_told_otherwise():
    import argparse

    parser = argparse.ArgumentParser()
    command.add(parser)
    assert parser.parse_args([]).host == "127.0.0.1"


def test_a_taken_port_is_named_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port} .*--port 7861"), server.listening("127.0.0.1", port):
            pass


def test_the_style_names_no_other_site():
    assert "http" not in Path(server.STYLE).read_text()
