"""A report as one HTML page that loads nothing and runs no script.

Names and texts may come from anywhere: every value is made printable and escaped.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from newsrec.report.text import counted, number, p_value, printable, score, signed


def render_page(folder: Path, template: str, /, **values: object) -> str:
    """A page from a template that extends `shell.html.j2`; equal input gives equal bytes.

    The template can use the macros of `macros.html.j2`, and the filters score, number, signed,
    p_value and counted of `newsrec.report.text`.

    Args:
        folder: folder of the template; files not found there are read from the shell's folder.
        template: file name of the page's template.
        values: the values that `shell.html.j2` lists, and those that the template uses. SVG must be
            `Markup`.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not given.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=score, number=number, signed=signed, p_value=p_value, counted=counted
    )
    return environment.get_template(template).render(values)


def _printable(value: object) -> object:
    """Make every text printable before it is escaped; safe mark-up is left unchanged."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
