"""A local HTTP server, also usable as a proxy, that follows a script: its n-th request gets the n-th answer."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        request = {name.lower(): value for name, value in self.headers.items()}
        text = f"{self.requestline}\n{self.headers}\n{content}"
        self.server.requests.append(request | {"path": self.path, "text": text})
        script = self.server.script
        script[min(len(self.server.requests), len(script)) - 1](self)
        self.close_connection = True

    do_GET = do_POST = do_CONNECT = answer

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def requested(self) -> bytes:
        """Send the head of what is asked for, by Range; return its bytes."""
        body = self.server.contents[self.path]
        range_start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(range_start[1]) if range_start else 0
        if start >= len(body):
            self.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
            return b""
        extra = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self.head(206 if start else 200, Content_Length=len(body) - start, **extra)
        return body[start:]


Answer = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, contents: dict[str, bytes], script: tuple[Answer, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.script, self.requests = contents, script, []
        self.over = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.url = f"{self.address}/file"


@contextmanager
def serving(content: bytes | dict[str, bytes], *script: Answer) -> Iterator[Server]:
    """Serve one content at /file, or several by path, with these answers; the last one is repeated."""
    with Server(content if isinstance(content, dict) else {"/file": content}, script or (good,)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()


def good(handler: Handler) -> None:
    handler.wfile.write(handler.requested())


def cut(after: int, seconds: float = 0) -> Answer:
    """Send so many bytes, then close the connection after so many seconds."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(handler.requested()[:after])
        handler.server.over.wait(seconds)

    return answer


def stall(after: int) -> Answer:
    return cut(after, seconds=20)


def send(code: int, body: bytes = b"no", after: int | None = None, **headers: object) -> Answer:
    """Send this body, whatever range is asked for, cut `after` so many bytes; a header of None is left out."""

    def answer(handler: Handler) -> None:
        handler.head(code, **({"Content_Length": len(body)} | headers))
        handler.wfile.write(body[:after])

    return answer


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
