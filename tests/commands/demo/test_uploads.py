"""What is sent is decoded, or answered with one sentence that names nothing of this machine."""

import io

import numpy as np
import pytest
from PIL import Image

from skinlesion.commands.demo import uploads
from skinlesion.runtime.errors import UserError


def encoded(image: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", uploads.FORMATS)
def test_every_format_that_it_promises_is_read(kind, noise):
    assert uploads.read(encoded(noise(1), kind)).image.shape == (30, 40, 3)


def test_a_file_and_its_bytes_are_the_same_picture(noise, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(noise(1), "PNG"))
    np.testing.assert_array_equal(uploads.read(tmp_path / "a.jpg").image, noise(1))
    np.testing.assert_array_equal(uploads.read((tmp_path / "a.jpg").read_bytes()).image, noise(1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no picture"),
        (b"Dear doctor,", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (encoded(np.zeros((300, 400, 3), np.uint8) + np.arange(400, dtype=np.uint8)[:, None], "PNG")[:300], "damaged"),
        (bytes(uploads.MOST_BYTES + 1), "larger than 20 MB"),
        (encoded(np.zeros((7100, 7100), np.uint8), "PNG"), "7100 x 7100 pixels"),
    ],
    ids=["empty", "text", "a program", "half", "bytes", "pixels"],
)
def test_a_bad_upload_gets_a_sentence(content, words, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    for sent in (path, content):
        with pytest.raises(UserError, match=words) as caught:
            uploads.read(sent)
        assert str(tmp_path) not in str(caught.value)
        assert str(caught.value).endswith(".")


def test_only_what_lies_below_the_folder_of_uploads_is_an_upload(tmp_path):
    received = tmp_path / "received"
    sent = received / "0a1b" / "photo.jpg"
    for path in (sent, received / "example.png", tmp_path / "secret.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (received / "0a1b" / "link.jpg").symlink_to(tmp_path / "secret.png")
    assert uploads.place(str(sent), received) == sent.resolve()
    refused = ("example.png", "../secret.png", "0a1b/../../secret.png", "0a1b/link.jpg", "0a1b/gone.jpg", "0a1b")
    for name in [str(received / name) for name in refused] + [None, "", "/etc/passwd", "http://127.0.0.1/a.png"]:
        assert uploads.place(name, received) is None, name
