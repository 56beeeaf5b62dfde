"""The demo's server: the web page and an HTTP API on one port."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import fastapi
import uvicorn
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from skinlesion.commands.demo import uploads
from skinlesion.commands.demo.lazy_classifier import LazyClassifier
from skinlesion.core.ham10000 import NAMES
from skinlesion.model.classify import RESEARCH_ONLY
from skinlesion.runtime.errors import UserError


def serve(model: Path, host: str, port: int, names: Sequence[str]) -> None:
    """Serve the page until interrupted (`names`: see create_app).

    Raise UserError if `port` is taken or `host` is not of this machine.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        fault = f"The demo cannot listen on --host {host} --port {port} ({error.strerror})"
        raise UserError(f"{fault}. Give an address of this machine and a free port, as --port 7861") from None
    with listener, tempfile.TemporaryDirectory(prefix="skinlesion-demo-") as folder:
        app = create_app(LazyClassifier(model), Path(folder), names)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        print(f"demo: {address} (stop it with Ctrl+C)", flush=True)
        print(f"for programs: curl --data-binary @lesion.jpg {address}/api/predict", flush=True)
        # uvicorn raises SIGTERM again when it has stopped. Turn it into an exit, so that the folder is removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])


def create_app(model: LazyClassifier, folder: Path, names: Sequence[str]) -> fastapi.FastAPI:
    """The API at /api/predict, and the page at all other paths; `folder` is for the page's files and uploads.

    A request to a host that is not in `names` is refused; `*` stands for every host.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(folder)  # Gradio reads it at its import and at each upload
    import gradio

    from skinlesion.commands.demo import webpage

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # the docs page would load from a CDN

    @app.middleware("http")
    async def block_remote_fetch(request: fastapi.Request, call_next: Callable[..., Awaitable]) -> fastapi.Response:
        """Gradio would fetch files of other sites for anyone who asks."""
        if any(f"/{route}=http" in request.scope["path"] for route in ("file", "proxy")):
            return JSONResponse({"error": "Files of other sites are blocked."}, 403)
        return await call_next(request)

    app.add_middleware(report_disconnect)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names)

    @app.post("/api/predict")
    async def predict(request: fastapi.Request) -> JSONResponse:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > uploads.MOST_BYTES:
                break
        return await run_in_threadpool(respond, model, bytes(body))

    options = {"footer_links": [], "max_file_size": uploads.MOST_BYTES, "ssr_mode": False, "run_history": False}
    looks = {"theme": webpage.THEME, "css": webpage.STYLE, "show_error": False}
    return gradio.mount_gradio_app(app, webpage.build_page(model, folder), "/", **looks, **options)


def report_disconnect(app: ASGIApp) -> ASGIApp:
    """Say in one line, without a traceback, that an upload broke off."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ClientDisconnect:
            print("demo: an upload broke off before its end", flush=True)

    return call


def respond(model: LazyClassifier, content: bytes) -> JSONResponse:
    """Classify an image file's bytes; `error` says why that is not possible."""
    status = 503
    try:
        loaded = model.load()
        status = 413 if len(content) > uploads.MOST_BYTES else 400
        image = uploads.decode(content)
    except UserError as error:
        return JSONResponse({"error": str(error)}, status)
    comparison = loaded.compare(image)
    return JSONResponse(
        {
            "probabilities": loaded.predict(image),
            "names": NAMES,
            "unlike_training": comparison.unlike,
            "too_small": comparison.too_small,
            "distance": round(comparison.distance, 3),
            "limit": comparison.limit,
            "notice": RESEARCH_ONLY,
        }
    )
