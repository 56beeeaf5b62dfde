"""Image ids: they come from untrusted files and become file names here, so they must not be paths."""

import re

IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # use fullmatch
IMAGE_ID_RULE = "up to 100 letters, digits, _ and -"
