"""Chance that hangs on ids: what happens to one image or lesion does not depend on which others there are."""

import hashlib


def digest(seed: int, *names: object) -> int:
    """A 64-bit number that hangs on `seed` and `names` alone, the same on every machine."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
