"""One file over HTTP, whole or not at all: resumed after a cut, tried again, verified, then moved into place."""

import errno
import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from zc.lockfile import LockError, LockFile

from skinlesion.download import responses
from skinlesion.download.responses import BROWSER, CHANGED, RESUME, Failure
from skinlesion.runtime.errors import UserError

# Dataverse answers requests' own name with a 403 page. Sizes and ranges count bytes as sent: nothing may be compressed.
HEADERS = {"User-Agent": "skinlesion", "Accept-Encoding": "identity"}
TIMEOUT = (20, 60)  # seconds until connected, and without a byte
TRIES = 7
PAUSE = 1.0  # seconds after the first failed try, doubled after each: a minute in all
STEP = 2**20  # bytes of progress after which the tries are counted anew: a poor line may be cut often
CHUNK = 2**16  # bytes; a cut loses less than one


def fetch(url: str, path: Path, size: int | None = None, md5: str | None = None) -> None:
    """Bring the file at `url`, of `size` bytes, to `path`, unless it is there and whole.

    What has arrived stands in `path`.part and stays there when the fetch fails or is killed. The next call resumes it
    where `md5` is known; without, nothing would tell whether it is of the same file.

    Raises:
        UserError: another process is at it, no network, no room on the disk, a refusal, a web page instead of the
            file, another length or, twice, another MD5 than due; connections cut or silent, or a busy server, in too
            many tries.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        bring(url, path, size, md5)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """UserError where another process is at the same file, as one that outlived a killed dvc may be."""
    place = path.with_name(f"{path.name}.lock")
    try:
        lock = LockFile(str(place))
    except LockError:
        raise UserError(f"{path} is being downloaded by another process: when that has ended, run again") from None
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        lock.close()


def bring(url: str, path: Path, size: int | None, md5: str | None) -> None:
    part = partial(path)
    if path.exists():
        if size in (None, bytes_of(path)) and md5 in (None, md5_of(path)):
            return
        path.unlink()
    for _ in range(2):
        Transfer(url, part, size, resumable=md5 is not None).run()
        found = md5_of(part)
        if md5 in (None, found):
            part.replace(path)
            return
        part.unlink()
    raise UserError(
        f"The download of {url} must have the MD5 {md5}. Received, twice: {found}; it is removed. {CHANGED}"
    )


@dataclass
class Transfer:
    """A download over its tries; `version` is what the server calls the present state of the file."""

    url: str
    part: Path
    size: int | None
    resumable: bool
    version: str | None = None

    def run(self) -> None:
        """Try until `part` is whole, or another try would not help."""
        tries, furthest = 0, bytes_of(self.part)
        with requests.Session() as session:
            session.headers.update(HEADERS)
            while self.size is None or bytes_of(self.part) != self.size:
                try:
                    return self.attempt(session)
                except Failure as error:
                    failure = error
                except (requests.RequestException, HTTPError) as error:
                    failure = responses.explain(error)
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    failure = Failure("a full disk", "Free some space, then run again", again=False)
                have = bytes_of(self.part)
                if have >= furthest + STEP:
                    tries, furthest = 0, have
                tries += 1
                if tries == TRIES or not failure.again:
                    of = "" if self.size is None else f" of {self.size:,}"
                    kept = f". {have:,}{of} bytes are kept in {self.part}" if have and self.resumable else ""
                    text = f"Received: {failure.received}. {failure.remedy}{kept}"
                    raise UserError(f"The download of {self.url} failed. {text}")
                seconds = PAUSE * 2 ** (tries - 1) if failure.wait is None else failure.wait
                tqdm.write(f"{self.part.stem}: {failure.received}; trying again in {seconds:.0f} s", file=sys.stderr)
                time.sleep(seconds)

    def attempt(self, session: requests.Session) -> None:
        """Ask for what is missing and append it, or begin anew where the server sends the whole."""
        have = bytes_of(self.part)
        asked = {}
        if have and (self.resumable or self.version):
            asked["Range"] = f"bytes={have}-"
            if self.version:
                asked["If-Range"] = self.version  # sent whole, if it has changed
        with session.get(self.url, headers=asked, stream=True, timeout=TIMEOUT) as response:
            responses.check_status(response)
            start, total = responses.extent(response)
            version = responses.version_of(response)
            changed = start and None not in (version, self.version) and version != self.version
            if start not in (0, have) or changed:
                self.part.unlink(missing_ok=True)
                raise Failure("another part of the file than was asked for", RESUME)
            chunks = response.iter_content(CHUNK)
            first = next(chunks, b"")
            if responses.is_page(response, first):
                raise Failure("a web page instead of the file", BROWSER, again=False)
            if None not in (self.size, total) and total != self.size:
                raise Failure(f"a file of {total:,} bytes, where {self.size:,} are due", CHANGED, again=False)
            due = total if self.size is None else self.size
            if due is not None:
                check_room(self.part.parent, due - have)
            self.version = version
            bar = tqdm(desc=self.part.stem, total=due, initial=start, unit="B", unit_scale=True, disable=None)
            with bar, self.part.open("ab" if start else "wb") as file:
                for chunk in chain([first], chunks):
                    file.write(chunk)
                    bar.update(len(chunk))
                    if due is not None and file.tell() > due:
                        break
        arrived = bytes_of(self.part)
        if due is not None and arrived > due:
            self.part.unlink()
            raise Failure(f"more than the {due:,} bytes that are due", CHANGED, again=False)
        if due is not None and arrived < due:
            raise Failure("a cut connection", RESUME)


def check_room(folder: Path, needed: float) -> None:
    """Raise UserError where the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        words = [f"{tqdm.format_sizeof(number)}B" for number in (needed, free)]
        raise UserError(
            f"The download, and what is unpacked from it, need {words[0]} free on the disk of {folder}. "
            f"Received: {words[1]}. Free some space, then run again"
        )


def partial(path: Path) -> Path:
    """Where a file stands while it arrives."""
    return path.with_name(f"{path.name}.part")


def missing(path: Path, size: int) -> int:
    """Bytes of a file of `size` bytes that are still to come."""
    return max(0, size - max(bytes_of(path), bytes_of(partial(path))))


def bytes_of(path: Path) -> int:
    """A file's size; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
