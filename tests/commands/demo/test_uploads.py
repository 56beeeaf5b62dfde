"""An upload is decoded, or refused in one sentence that names nothing of this machine."""

import io

import numpy as np
import pytest
from PIL import Image

from skinlesion.commands.demo import uploads
from skinlesion.core.images import FORMATS
from skinlesion.runtime.errors import UserError


def encode(image: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_and_offered(kind, noise):
    assert uploads.decode(encode(noise(1), kind)).shape == (30, 40, 3)
    with pytest.raises(UserError, match=kind):
        uploads.decode(b"Dear doctor,")


@pytest.mark.parametrize(
    ("content", "fault", "remedy"),
    [
        (b"", "empty", "Send an image"),
        (b"Dear doctor,", "The upload", "Send a whole image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "The upload", "Send a whole image"),
        (encode(np.arange(120000, dtype=np.uint32).astype(np.uint8).reshape(300, 400), "PNG")[:300], "The upload", ""),
        (bytes(uploads.MOST_BYTES + 1), "20 MB", "Send a smaller copy"),
        (encode(np.zeros((7100, 7100), np.uint8), "PNG"), "7100 x 7100 pixels", ""),
    ],
    ids=["empty", "text", "a program", "half", "bytes", "pixels"],
)
def test_a_bad_upload_is_refused(content, fault, remedy):
    with pytest.raises(UserError, match=fault) as error:
        uploads.decode(content)
    assert remedy in str(error.value)
    assert "0x" not in str(error.value), "an address in memory"


def test_only_a_file_below_the_folder_of_uploads_is_an_upload(tmp_path):
    received = tmp_path / "received"
    sent = received / "0a1b" / "photo.jpg"
    for path in (sent, received / "example.png", tmp_path / "secret.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (received / "0a1b" / "link.jpg").symlink_to(tmp_path / "secret.png")
    assert uploads.find_upload(str(sent), received) == sent.resolve()
    refused = ("example.png", "../secret.png", "0a1b/../../secret.png", "0a1b/link.jpg", "0a1b/gone.jpg", "0a1b")
    for name in [*(str(received / name) for name in refused), None, "", "/etc/passwd", "http://127.0.0.1/a.png"]:
        assert uploads.find_upload(name, received) is None, name
