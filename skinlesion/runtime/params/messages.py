"""What pydantic found wrong with a document, in words for the person who wrote it."""

import difflib
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails


def hint(name: str, known: list[str]) -> str:
    """Say which of `known` a mistyped `name` may have meant, else list them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {close[0]!r}?" if close else f". Known: {', '.join(known)}"


def describe(error: ErrorDetails, model: type[BaseModel], document: Any) -> str:
    """One line for one problem in a `document` of type `model`: the key, the rule, what was received."""
    location = keys_of(error, document)
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{hint(str(location[-1]), known_keys(model, location[:-1]))}"
    if error["type"] == "missing":
        return f"{key}: missing key"
    if error["type"] == "model_type":
        return f"{key or 'the file'}: must be a section with keys. Received: {error['input']!r}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key}: {message}. Received: {error['input']!r}"


def keys_of(error: ErrorDetails, document: Any) -> list[str | int]:
    """Where the error lies: its location less the names of union members that pydantic mixes in."""
    keys: list[str | int] = []
    for part in error["loc"]:
        inside = isinstance(document, dict) and part in document
        if inside or (isinstance(document, list) and isinstance(part, int)):
            document = document[part]
            keys.append(part)
    return [*keys, error["loc"][-1]] if error["type"] == "missing" else keys


def known_keys(model: type[BaseModel], location: list[str | int]) -> list[str]:
    """The keys that a document of type `model` may have at `location`."""
    annotation: Any = model
    for part in location:
        fields = getattr(annotation, "model_fields", None)
        annotation = fields[part].annotation if fields else get_args(annotation)[-1]
        annotation = unwrap(annotation)
    return list(annotation.model_fields)


def unwrap(annotation: Any) -> Any:
    """`X | None` and `Annotated[X, ...]` as X."""
    if hasattr(annotation, "__metadata__"):
        return unwrap(annotation.__origin__)
    if NoneType in get_args(annotation):
        return unwrap(get_args(annotation)[0])
    return annotation
