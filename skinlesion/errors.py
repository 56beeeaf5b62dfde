"""The one error that a person at the terminal is meant to read."""


class UserError(Exception):
    """Input, parameters or machine do not allow the work; the message says what, where and the remedy.

    Entry points print the message without a traceback and exit with code 1.
    """


def listing(names: list[str], limit: int = 5) -> str:
    """Join `names` for a message: the first `limit` of them, then how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
