"""What a server's answer, or the want of one, means for a download: the remedy, and whether to try again."""

import re
from dataclasses import dataclass

import requests
from requests.exceptions import ChunkedEncodingError, ProxyError, SSLError
from urllib3.exceptions import InvalidHeader, NameResolutionError, ProtocolError, ReadTimeoutError
from urllib3.util import Retry

PATIENCE = 300  # seconds: the longest wait that a server may ask for

RESUME = "Check the network, then run again"
PROXY = "Check the network, HTTPS_PROXY and NO_PROXY, then run again"
CERTIFICATE = "Check this machine's clock; where a proxy opens encrypted connections, name its certificates in "
BUSY = "The server is busy: run again in some minutes"
BROWSER = "Open the address in a browser: it may be down, want a login, or be blocked in this network"
CHANGED = "The published file has moved or changed: look for a newer version of this project"
# Errors of requests, or of urllib3 within: the first row that fits has what it means, the remedy, whether to try again.
# Their own words stay out: they may quote the proxy's address, and a password in it.
FAILURES = [
    (SSLError, "an encrypted connection that cannot be trusted", f"{CERTIFICATE}REQUESTS_CA_BUNDLE", False),
    (ProxyError, "no way through the proxy", PROXY, True),
    (NameResolutionError, "no address for the server's name", PROXY, True),
    ((requests.Timeout, ReadTimeoutError), "no answer in time", RESUME, True),
    ((ChunkedEncodingError, ProtocolError), "a cut connection", RESUME, True),
    (requests.ConnectionError, "no connection", PROXY, True),
    (Exception, "a request that cannot be made", PROXY, False),
]


@dataclass(eq=False)
class Failure(Exception):
    """A failed try: what was received, the remedy, whether another try may help, the seconds the server asks for."""

    received: str
    remedy: str
    again: bool = True
    wait: float | None = None


def explain(error: Exception) -> Failure:
    """The Failure of the first row of FAILURES that fits an error of requests or urllib3, or what it holds."""
    inner = error.args[0] if error.args else None
    causes = (error, inner, getattr(inner, "reason", None))
    return next(
        Failure(received, remedy, again)
        for kinds, received, remedy, again in FAILURES
        if any(isinstance(cause, kinds) for cause in causes)
    )


def check_status(response: requests.Response) -> None:
    """Raise Failure where the server refuses, or is busy."""
    status = response.status_code
    if status in (408, 429) or status >= 500:
        try:
            wait = Retry(retry_after_max=PATIENCE).get_retry_after(response.raw)
        except InvalidHeader:
            wait = None
        raise Failure(f"HTTP {status}", BUSY, wait=wait)
    if status >= 300 and status != 416:
        raise Failure(f"HTTP {status}", CHANGED if status in (404, 410) else BROWSER, again=False)


def extent(response: requests.Response) -> tuple[int, int | None]:
    """Where in the file the body begins (-1: nowhere), and the file's length in bytes where the server tells."""
    if response.status_code in (206, 416):
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        return (int(found[1]), None if found[2] == "*" else int(found[2])) if found else (-1, None)
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def version_of(response: requests.Response) -> str | None:
    """A strong ETag, else the date of change: what If-Range may name."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag


def is_page(response: requests.Response, beginning: bytes) -> bool:
    html = response.headers.get("Content-Type", "").lower().startswith("text/html")
    return html or beginning.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))
