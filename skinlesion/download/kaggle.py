"""HAM10000 from Kaggle, through the `kaggle` package (2.2), which finds the credentials itself."""

import io
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from skinlesion.download.archive import unpack
from skinlesion.download.transfer import check_room, missing
from skinlesion.runtime.errors import UserError

DATASET = "kmader/skin-cancer-mnist-ham10000"
PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
SCRATCH = ".kaggle-download"
ZIP_BYTES = int(5.2 * 2**30)
UNPACKED_BYTES = 2_800_000_000  # about half: each image is in the zip twice, and taken once

CREDENTIALS = (
    "Give a token (from https://www.kaggle.com/settings/api) in KAGGLE_API_TOKEN or in "
    "~/.kaggle/access_token; or a key in KAGGLE_USERNAME and KAGGLE_KEY, or in "
    "~/.kaggle/kaggle.json"
)
WAYS_OUT = (
    f"Without the API: download the zip from {PAGE} in a browser, set data.source: archive and "
    "data.archive: its path; or set data.source: sample"
)
REMEDIES = {
    401: f"The credentials are not valid. {CREDENTIALS}",
    403: f"Open {PAGE} signed in, accept its rules, and see that the token may read datasets",
    404: "The dataset has moved, or the token may not read it",
    429: "Kaggle limits the number of requests: wait some minutes and run again",
}


def download(target: Path) -> None:
    """Download HAM10000 (5.2 GiB) from Kaggle and unpack it into the empty folder `target`.

    The zip goes to the folder .kaggle-download beside `target`, on the same disk. It is removed
    after success and kept on failure: the next call resumes it, or finds it complete. The package
    compares its size with what Kaggle announces, `unpack` every image with the zip's checksums.

    Raises:
        UserError: no credentials, no room on the disk, Kaggle refuses or is out of reach, or
            `unpack` refuses the zip.
    """
    api = sign_in()
    scratch = target.parent / SCRATCH
    archive = scratch / f"{DATASET.partition('/')[2]}.zip"
    check_room(target, missing(archive, ZIP_BYTES) + UNPACKED_BYTES)
    try:
        api.dataset_download_files(DATASET, path=str(scratch), quiet=False)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        advice = f"What has arrived is kept in {scratch}: run again to resume"
        raise explained(error, "The download", advice) from None
    try:
        unpack(archive, target)
    except UserError as error:
        # The package checks no checksum: a damaged zip of the right size is complete to it.
        raise UserError(f"{error}. To download it again, delete {archive}") from error
    shutil.rmtree(scratch)


def sign_in() -> Any:
    """The package's KaggleApi, authenticated; UserError where that fails."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)  # with these, the package prints every request, its token included
    try:
        # Without credentials, authenticate prints a page of help and calls exit(). The import calls
        # it too and hides its errors, but raises OSError where it cannot make its own folder.
        with redirect_stdout(io.StringIO()):
            import kaggle

            kaggle.api.authenticate()
    except SystemExit:
        raise UserError(
            "data.source: kaggle needs credentials. Received: none, or a token that Kaggle does "
            f"not know. {CREDENTIALS}. {WAYS_OUT}"
        ) from None
    except (OSError, ValueError) as error:
        advice = f"The home folder, or KAGGLE_CONFIG_DIR, must be writable. {CREDENTIALS}"
        raise explained(error, "Signing in", advice) from None
    return kaggle.api


def explained(error: Exception, step: str, advice: str) -> UserError:
    """UserError for a failed `step` inside the package; `advice` serves where the cause is unknown.

    The error's own text stays out: that of a malformed token or header quotes the token. For the
    same reason the callers raise it `from None`.
    """
    response = getattr(error, "response", None)
    # Compared with None, as requests makes the response of an HTTP error false.
    status = None if response is None else response.status_code
    cause = getattr(error, "strerror", None) or type(error).__name__
    reason = cause if status is None else f"HTTP {status}"
    remedy = REMEDIES.get(status, f"Check the network, the proxy and the free disk space. {advice}")
    return UserError(f"{step} at Kaggle failed. Received: {reason}. {remedy}. {WAYS_OUT}")
