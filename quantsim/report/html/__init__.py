"""The report of a stored parameter set: one HTML file that needs no network.

:class:`Content` is what a report is made of, ``sections`` has one file per section, and :func:`page` renders them. A section
returns blocks (``blocks.py``): text, tables, interactive figures, drawings, code, downloads. To add one, write a file in
``sections`` with a function from :class:`Content` to a :class:`~quantsim.report.html.blocks.Section` or None, and name it in
``sections/__init__.py``.

The same content gives the same bytes. All text is escaped by the template, and no block needs to be.
"""

from quantsim.report.html.content import Content, Curves
from quantsim.report.html.rendering import check_libraries, page

__all__ = ["Content", "Curves", "check_libraries", "page"]
