"""HTML elements in which text is escaped, for the confusion matrices of pr-report."""

from markupsafe import Markup


def element(name: str, *children: str, **attributes: str) -> Markup:
    """Make an element of children, of which only Markup is not escaped."""
    start = Markup("").join(Markup(' {}="{}"').format(key, value) for key, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), start, Markup("").join(children))
