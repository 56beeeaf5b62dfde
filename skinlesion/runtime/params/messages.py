"""Messages for what is wrong with a YAML document, from the errors of pydantic."""

import difflib
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails


def hint(name: str, known: list[str]) -> str:
    """Return the end of a message: the one of `known` that resembles a mistyped `name`, else all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {close[0]!r}?" if close else f". Known: {', '.join(known)}"


def describe(error: ErrorDetails, model: type[BaseModel], document: Any) -> str:
    """Return the line for one problem in a `document` of type `model`: the key, what is there, what belongs there."""
    location = keys_of(error, document)
    key = ".".join(str(part) for part in location) or "the file"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), keys_in(model), n=1)
        return f"{key} is not a key. " + (f"Did you mean {close[0]!r}?" if close else "Remove it")
    if error["type"] == "missing":
        return f"{key} is missing. Add it"
    if error["type"] == "model_type":
        return f"{key} is {error['input']!r}, but should be a section with keys"
    if error["type"] == "value_error":
        return f"{key}: {message}" if location else message
    return f"{key} is {error['input']!r}: {message}"


def keys_of(error: ErrorDetails, document: Any) -> list[str | int]:
    """Return the keys to the error: its location less the names of union members that pydantic adds."""
    keys: list[str | int] = []
    for part in error["loc"]:
        inside = isinstance(document, dict) and part in document
        if inside or (isinstance(document, list) and isinstance(part, int)):
            document = document[part]
            keys.append(part)
    return [*keys, error["loc"][-1]] if error["type"] == "missing" else keys


def keys_in(model: type[BaseModel]) -> list[str]:
    """Return the names of all fields of a document of type `model`, at any depth."""
    schema = model.model_json_schema()
    return [name for part in (schema, *schema.get("$defs", {}).values()) for name in part.get("properties", {})]
