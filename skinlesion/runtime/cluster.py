"""The Dask cluster that DASK_SCHEDULER_ADDRESS names: a connection, and messages for what can be wrong with it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skinlesion.runtime.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = "DASK_SCHEDULER_ADDRESS"
PIXELS = ["cv2", "PIL", "simplejpeg"]  # beside NumPy, which Dask compares itself, what decides the bytes of an image


@contextmanager
def connect(address: str) -> Iterator["Client"]:
    """Yield a client of the scheduler at `address`; wait until it has a worker.

    Workers run the code of this process, which travels with each task, and not what they have installed of it.

    Raises:
        UserError: Dask is not installed, nothing answers at `address`, the workers have other versions of Python or of
            a library, or a task was given up because its workers died.
    """
    try:
        import cloudpickle
        import distributed
        from distributed.versions import error_message
    except ImportError:
        raise UserError(f"A Dask cluster needs Dask. Run: make setup DASK=1, or unset {ADDRESS}") from None
    cloudpickle.register_pickle_by_value(sys.modules["skinlesion"])
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        remedy = f"Start it with: dask scheduler, correct the address, or unset {ADDRESS}"
        raise UserError(f"No Dask scheduler answers at {address} ({error}). {remedy}") from None
    with client:
        if not client.ncores():
            print(f"waiting for a worker of {address}", flush=True)
            client.submit(os.getpid).result()  # an adaptive cluster starts workers for a task alone
        versions = client.get_versions(packages=PIXELS)
        if fault := error_message(versions["scheduler"], versions["workers"], versions["client"])["warning"]:
            raise UserError(f"{fault}\nInstall requirements.txt of this commit on all machines")
        try:
            yield client
        except distributed.KilledWorker as error:
            raise UserError(f"{error} Often their memory was not enough: start workers with more") from None
