"""Random numbers that depend only on a seed and an id, not on the other images or lesions in the data."""

import hashlib


def digest(seed: int, *names: object) -> int:
    """Return a 64-bit number that depends only on `seed` and `names`, the same on every machine."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
