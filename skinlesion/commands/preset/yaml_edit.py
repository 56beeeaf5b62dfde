"""New values in a YAML text, in their place: comments, order, alignment and all other bytes stay."""

import re
from typing import Any

import yaml

from skinlesion.runtime.errors import UserError

Key = tuple[str, ...]


def replace(text: str, changes: dict[Key, Any]) -> str:
    """Set values of existing keys, each named by its path of keys; a comment behind a value keeps its column.

    Raises:
        UserError: a key is missing, or the text has a form (an alias, say) in which its value cannot be set alone.
    """
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
        raise UserError("a document with aliases (*name) cannot be changed in place: write the values out")
    root = yaml.compose(text)
    edits = sorted(((*span(text, root, key), value) for key, value in changes.items()), reverse=True)
    edited = text
    for start, end, value in edits:
        edited = edited[:start] + written(value, edited[start:end]) + realigned(edited, start, end, value)
    expected = yaml.safe_load(text)
    for key, value in changes.items():
        section = expected
        for name in key[:-1]:
            section = section[name]
        section[key[-1]] = value
    if yaml.safe_load(edited) != expected:
        keys = ", ".join(".".join(key) for key in changes)
        raise UserError(f"these keys cannot be changed in place, set them by hand: {keys}")
    return edited


def span(text: str, node: yaml.Node, key: Key) -> tuple[int, int]:
    """Where the value of `key` stands in the text, from the colon before it on."""
    before = 0
    for name in key:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = [(one, value) for one, value in pairs if one.value == name]
        if not found:
            raise UserError(f"{'.'.join(key)} is missing")
        before, node = found[0][0].end_mark.index, found[0][1]
    return text.index(":", before) + 1, end(text, node)


def end(text: str, node: yaml.Node) -> int:
    """Where a value ends. PyYAML lets a block reach to the next key; it ends with the last value within."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return node.end_mark.index
    last = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    rest = re.compile(r"[ \t]*(#.*)?").match(text, end(text, last))
    return rest.end()


def written(value: Any, old: str) -> str:
    """The value in YAML's flow style, after as much space as the old value had."""
    space = re.match(r"[ \t]*", old)[0] if "\n" not in old else " "
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True)
    return (space or " ") + dumped.removesuffix("...\n").strip()


def realigned(text: str, start: int, end: int, value: Any) -> str:
    """The text after the value, with the comment of its line at the column where it was, where that is possible."""
    comment = re.compile(r"( +)(?=#)").match(text, end)
    if not comment:
        return text[end:]
    column = comment.end() - start
    return " " * max(1, column - len(written(value, text[start:end]))) + text[comment.end() :]
