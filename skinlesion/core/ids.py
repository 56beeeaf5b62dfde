"""Image ids: they come from other people's files and become names of files here, so they hold no path."""

import re

IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # to be matched whole
IMAGE_ID_RULE = "up to 100 letters, digits, _ and -"
