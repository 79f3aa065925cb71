"""What the keys of a table mean: the docstrings of the fields of its model, as they stand in the source."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap

from quantsim.settings.base import Section

__all__ = ["docstrings"]


@functools.cache
def docstrings(model: type[Section]) -> dict[str, str]:
    """Returns field → the docstring that follows it in the source of the model or of its bases.

    Fields without a docstring are left out, and so are those of models whose source cannot be read.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Section) and base is not Section and base.__doc__:
            found |= _of_class(base)
    return found


def _of_class(model: type[Section]) -> dict[str, str]:
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):  # made at run time
        return {}
    (body,) = ast.parse(textwrap.dedent(source)).body
    pairs = zip(body.body, body.body[1:], strict=False) if isinstance(body, ast.ClassDef) else ()
    return {
        field.target.id: inspect.cleandoc(ast.literal_eval(text.value))
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
    }
