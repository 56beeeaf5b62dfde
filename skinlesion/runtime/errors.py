"""Errors in words for the person at the terminal."""

import errno

NOT_ALLOWED = "This user may not read or write there: give the permission (ls -ld shows whose it is), then run again"
REMEDIES = {
    errno.ENOSPC: "The disk is full: free some space, then run again",
    errno.EDQUOT: "This user's share of the disk is used up: free some space, then run again",
    errno.EFBIG: "Files may not grow that large here: see ulimit -f, and what the disk's format allows",
    errno.EROFS: "This disk can only be read: mount it for writing, or work in a copy elsewhere",
    errno.ENOTDIR: "A file is where a folder should be: move it away, then run again",
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
}


class UserError(Exception):
    """Input, parameters or machine do not allow the work; the message says what, where and the remedy.

    Entry points print the message without a traceback and exit with code 1.
    """


def listing(names: list[str], limit: int = 5) -> str:
    """Join `names` for a message: the first `limit` of them, then how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def in_words(error: UserError | OSError) -> str:
    """What went wrong and what to do about it, also where the operating system is who refused."""
    if isinstance(error, UserError):
        return str(error)
    return f"{error}. {REMEDIES.get(error.errno, 'Is the disk full, or the file or folder not readable or writable?')}"
