"""Download one file over HTTP: resumed after a cut, tried again, verified by size and MD5, then moved into place."""

import hashlib
import shutil
import sys
import time
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from skinlesion.runtime.errors import UserError

# Dataverse refuses the default User-Agent of requests. With compression, sizes and ranges would not count file bytes.
HEADERS = {"User-Agent": "skinlesion", "Accept-Encoding": "identity"}
TIMEOUT = (20, 60)  # seconds to connect, and between two bytes
TRIES = 7  # in a row without a new byte
PAUSE = 1.0  # seconds after the first failed try, doubled after each: a minute in all
CHUNK = 2**16  # bytes; a cut loses less than one chunk

CHANGED = "The published file has moved or changed. Look for a newer version of this project"
BROWSER = "Open the address in a browser: it may be down, need a login, or be blocked in this network"
BUSY = "The server is busy. Run again in some minutes"
NETWORK = "Check the network, this machine's clock, HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE, then run again"
REMEDIES = {None: NETWORK, 404: CHANGED, 408: BUSY, 410: CHANGED, 429: BUSY}  # by HTTP status; None: no answer


def download_file(url: str, path: Path, size: int | None, md5: str) -> None:
    """Download `url`, a file of `size` bytes with this MD5 (hexadecimal), to `path`, unless it is there already.

    If no `size` is known (None), the server is asked for it.

    The bytes that have arrived are kept in `path`.part when the download fails or is killed; the next call resumes it.
    The lock of the stage keeps a second download out.

    Raises:
        UserError: the server refuses, cannot be reached or sends another file.
        OSError: the disk is full or not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    if path.exists() and md5_of(path) == md5:
        return
    for _ in range(2):  # the bytes of an earlier run may be damaged
        complete(url, part, size)
        if md5_of(part) == md5:
            part.replace(path)
            return
        part.unlink()
    raise UserError(f"The download of {url} failed: in both tries the file's MD5 was not {md5}. {CHANGED}")


def complete(url: str, part: Path, size: int | None) -> None:
    """Download into `part` until it has `size` bytes; raise UserError if trying again does not help."""
    tries, furthest = 0, file_size(part)
    while size is None or file_size(part) < size:
        try:
            size = size or ask_size(url)
            if file_size(part) < size:
                download_rest(url, part, size)
        except (requests.RequestException, HTTPError) as error:
            status, fault = describe(error)
            fault = fault if status else f"no connection ({fault})"
            remedy = REMEDIES.get(status, BUSY if status and status >= 500 else BROWSER)
            have = file_size(part)
            tries = 1 if have > furthest else tries + 1
            furthest = max(have, furthest)
            if tries == TRIES or remedy not in (NETWORK, BUSY):
                total = f"{size:,}" if size else "unknown"
                kept = f". {have:,} of {total} bytes are kept in {part}" if have else ""
                raise UserError(f"The download of {url} failed: {fault}. {remedy}{kept}") from None
            seconds = PAUSE * 2 ** (tries - 1)
            tqdm.write(f"{part.stem}: {fault}; trying again in {seconds:.0f} s", file=sys.stderr)
            time.sleep(seconds)


def ask_size(url: str) -> int:
    """Return the size in bytes that the server states. Not by HEAD: Dataverse's storage answers only GET."""
    with requests.get(url, headers=HEADERS, stream=True, timeout=TIMEOUT) as response:
        if response.status_code != 200 or "Content-Length" not in response.headers:
            raise requests.HTTPError(response=response)
        return int(response.headers["Content-Length"])


def download_rest(url: str, part: Path, size: int) -> None:
    """Ask for the bytes that `part` lacks and append them; start over if the server sends the whole file."""
    have = file_size(part)
    headers = HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        start = have if response.headers.get("Content-Range", "").startswith(f"bytes {have}-") else 0
        if response.status_code != (206 if start else 200):
            raise requests.HTTPError(response=response)
        kind, length = (response.headers.get(name, "unknown") for name in ("Content-Type", "Content-Length"))
        if "html" in kind or length not in ("unknown", str(size - start)):
            raise UserError(
                f"The download of {url} failed: the server sent another file (type {kind}, {length} bytes instead of "
                f"{size - start}), maybe a web page. {BROWSER}"
            )
        bar = tqdm(desc=part.stem, total=size, initial=start, unit="B", unit_scale=True, disable=None)
        with bar, part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > size:  # another file: its MD5 will be wrong
                    break
    if file_size(part) < size:
        raise requests.ConnectionError


def describe(error: Exception) -> tuple[int | None, str]:
    """Return HTTP status and fault of a failed request. The error's own text may quote a password: it is left out."""
    response = getattr(error, "response", None)
    if response is not None:  # a response with an error status is false
        return response.status_code, f"HTTP {response.status_code}"
    return None, getattr(error, "strerror", None) or type(error).__name__


def check_room(scratch: Path, needed: int) -> None:
    """Raise UserError if the disk lacks space for `needed` bytes, of which those in the folder `scratch` are there."""
    needed -= sum(file_size(path) for path in scratch.glob("*"))
    free = shutil.disk_usage(scratch.parent).free
    if free < needed:
        raise UserError(
            f"The disk of {scratch.parent} has {free / 1e9:.2f} GB free, but the download and the unpacked files need "
            f"{needed / 1e9:.2f} GB. Free some space, then run again"
        )


def file_size(path: Path) -> int:
    """Return the size in bytes, 0 for a missing file."""
    return path.stat().st_size if path.exists() else 0


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
