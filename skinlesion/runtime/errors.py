"""Errors as messages for the person at the terminal."""

import errno

NO_PERMISSION = "This user may not read or write there. Change the permissions (ls -ld shows them), then run again"
NOT_A_FOLDER = "A file has the name of a folder. Move it away, then run again"
REMEDIES = {
    errno.ENOENT: "The file, or a folder of its path, is missing or cannot be made there. Correct the path",
    errno.EEXIST: NOT_A_FOLDER,
    errno.ENOTDIR: NOT_A_FOLDER,
    errno.EISDIR: "A folder has the name of a file. Move it away, then run again",
    errno.ENOSPC: "The disk is full. Free some space, then run again",
    errno.EDQUOT: "The disk quota of this user is used up. Free some space, then run again",
    errno.EFBIG: "Files may not be that large here. See ulimit -f, and the limit of the disk's format",
    errno.EROFS: "The disk is read-only. Mount it for writing, or work in a copy elsewhere",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
}


class UserError(Exception):
    """Input, parameters or machine do not allow the work; the message gives the fault, the place and the remedy.

    Entry points print the message without a traceback and exit with code 1.
    """


def listing(names: list[str], limit: int = 5) -> str:
    """Join `names` for a message: the first `limit`, then the number of the others."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def describe_error(error: UserError | OSError) -> str:
    """Return the message of an error, with a remedy for those of the operating system."""
    if isinstance(error, UserError):
        return str(error)
    return f"{error}. {REMEDIES.get(error.errno, 'Check that the disk and the network can be used, then run again')}"
