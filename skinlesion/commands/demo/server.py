"""The page and its HTTP API on one port."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import fastapi
import uvicorn
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from skinlesion.commands.demo import uploads
from skinlesion.commands.demo.answers import WhenTrained
from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.model.classify import RESEARCH_ONLY
from skinlesion.runtime.errors import UserError

STYLE = Path(__file__).with_name("style.css")
FONTS = ["system-ui", "sans-serif"]  # of the reader's machine: nothing is fetched


def serve(model: Path, host: str, port: int) -> None:
    """Serve the page until interrupted.

    Args:
        port: 0 for any that is free.

    Raises:
        UserError: the port is taken, or the host is no address of this machine.
    """
    with temporary_folder() as folder, listening(host, port) as listener:
        address = f"http://{host}:{listener.getsockname()[1]}"
        app = application(WhenTrained(model), address, folder)
        print(f"demo: {address} (Ctrl+C ends it)", flush=True)
        # uvicorn ends on SIGTERM and raises it again: as an exit, so that the folder goes.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Where Gradio keeps its files, until the demo ends."""
    with tempfile.TemporaryDirectory(prefix="skinlesion-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # read when gradio is imported, and at each upload
        yield Path(folder)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"the page needs a free port and an address of this machine. Received: --host {host} --port {port} "
            f"({error.strerror}). Give others, as --port 7861"
        ) from None
    with listener:
        yield listener


def application(model: WhenTrained, address: str, folder: Path) -> ASGIApp:
    """The API at /api/predict, the page at all else; `folder` is for the page's examples."""
    import gradio

    from skinlesion.commands.demo import page

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # the docs page would fetch from a CDN

    @app.post("/api/predict")
    async def predict(request: fastapi.Request) -> JSONResponse:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > uploads.MOST_BYTES:
                return JSONResponse({"error": uploads.TOO_LARGE}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return await fastapi.concurrency.run_in_threadpool(respond, model, bytes(body))

    theme = gradio.themes.Default(font=FONTS, font_mono=["ui-monospace", "monospace"])
    blocks = page.build(model, address, folder)
    looks = {"theme": theme, "css": STYLE.read_text(encoding="utf-8"), "footer_links": []}
    limits = {"max_file_size": uploads.MOST_BYTES, "ssr_mode": False, "run_history": False}
    return StayAtHome(gradio.mount_gradio_app(app, blocks, "/", show_error=False, **looks, **limits))


class StayAtHome:
    """Refuse to fetch other sites' files, which Gradio would do for whoever asks."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(f"/{word}=http" in scope.get("path", "") for word in ("file", "proxy")):
            refusal = JSONResponse({"error": "Only this page's own files."}, HTTPStatus.FORBIDDEN)
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def respond(model: WhenTrained, content: bytes) -> JSONResponse:
    """What the API says of an image's bytes."""
    try:
        classifier = model.get()
    except UserError as error:
        return JSONResponse({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    try:
        answer = classifier.answer(uploads.read(content))
    except UserError as error:
        return JSONResponse({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    return JSONResponse(
        {
            "probabilities": answer.by_code(),
            "names": {one.code: one.name for one in DIAGNOSES},
            "distance": round(answer.distance, 3),
            "limit": classifier.reference.limit,
            "usual": answer.usual,
            "notice": RESEARCH_ONLY,
        }
    )
