"""HAM10000 from Kaggle, through the `kaggle` package (2.2), which looks for the credentials itself."""

import io
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from skinlesion.download.archive import unpack
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.transfer import check_room, describe

DATASET = "kmader/skin-cancer-mnist-ham10000"
PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
SCRATCH = ".kaggle-download"
ZIP_BYTES = int(5.2 * 2**30)
UNPACKED_BYTES = 2_800_000_000  # about half: each image is in the zip twice and is written once

CREDENTIALS = (
    "Set KAGGLE_API_TOKEN, or write ~/.kaggle/access_token, with a token from https://www.kaggle.com/settings/api; or "
    "set KAGGLE_USERNAME and KAGGLE_KEY, or write ~/.kaggle/kaggle.json"
)
WAYS_OUT = (
    f"Or download the zip from {PAGE} in a browser, and set data.source: archive and data.archive: its path; or set "
    "data.source: sample"
)
REMEDIES = {
    401: f"The credentials are not valid. {CREDENTIALS}",
    403: f"Sign in at {PAGE}, accept its rules, and check that the token may read datasets",
    404: "The dataset has moved, or the token may not read it",
    429: "Kaggle limits the number of requests. Wait some minutes and run again",
}


def download(target: Path) -> None:
    """Download HAM10000 (5.2 GiB) from Kaggle and unpack it into the empty folder `target`.

    The zip goes to the folder .kaggle-download beside `target`. It is removed after success and kept after a failure:
    the next call resumes the download. The package checks the size of the zip, `unpack` the CRC-32 of every image.

    Raises:
        UserError: there are no credentials, too little space, no answer or a refusal, or `unpack` refuses the zip.
    """
    api = sign_in()
    scratch = target.parent / SCRATCH
    archive = scratch / f"{DATASET.partition('/')[2]}.zip"
    check_room(scratch, ZIP_BYTES + UNPACKED_BYTES)
    try:
        api.dataset_download_files(DATASET, path=str(scratch), quiet=False)
    except (OSError, ValueError) as error:  # the errors of requests are OSErrors
        raise explain(error, "The download from", f"Run again: what has arrived is kept in {scratch}") from None
    try:
        unpack(archive, target)
    except UserError as error:
        # The package takes a damaged zip of the right size for complete.
        raise UserError(f"{error}. To download it again, delete {archive}") from error
    shutil.rmtree(scratch)


def sign_in() -> Any:
    """Return the package's authenticated KaggleApi; raise UserError if the credentials are missing or refused."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)  # with these the package prints every request, including the token
    try:
        # Without credentials, authenticate prints a help page and calls exit(). The import calls it too and hides its
        # errors, but raises OSError if it cannot create its own folder.
        with redirect_stdout(io.StringIO()):
            import kaggle

            kaggle.api.authenticate()
    except SystemExit:
        fault = "data.source: kaggle needs credentials, but there are none, or Kaggle does not know the token"
        raise UserError(f"{fault}. {CREDENTIALS}. {WAYS_OUT}") from None
    except (OSError, ValueError) as error:
        advice = f"The home folder, or KAGGLE_CONFIG_DIR, must be writable. {CREDENTIALS}"
        raise explain(error, "The sign-in at", advice) from None
    return kaggle.api


def explain(error: Exception, step: str, advice: str) -> UserError:
    """Return the UserError for a failed `step`, to be raised `from None`: the error's own text may quote the token."""
    status, fault = describe(error)
    remedy = REMEDIES.get(status, f"Check the network, the proxy and the free disk space. {advice}")
    return UserError(f"{step} Kaggle failed: {fault}. {remedy}. {WAYS_OUT}")
