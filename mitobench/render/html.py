"""A report as one self-contained page: no file beside it, no request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mitobench.errors import MissingExtraError
from mitobench.published import PUBLISHED_SOURCE
from mitobench.render import _figures, _mistakes, _standing, _words
from mitobench.render._instances import instance_data, safe_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from mitobench.pictures import Picture
    from mitobench.report import Report

__all__ = ["need_html", "to_html"]

_STYLES = ("page.css", "charts.css", "table.css")
_SCRIPTS = ("page.js", "table.js")


def to_html(report: Report, *, pictures: Sequence[Picture] = ()) -> str:
    """Return the report as an HTML page that holds all it needs; equal reports give equal pages.

    Parameters
    ----------
    report
        What to show. What it lacks (intervals, curves, repairs, instances) is left out, saying so.
    pictures
        Of single instances, as `mitobench.pictures.error_pictures` takes them.

    Raises
    ------
    MissingExtraError
        Jinja is not installed.
    """
    environment = _environment()
    script = _joined(_SCRIPTS)
    page = environment.get_template("page.html.j2").render(
        report=report,
        pictures=list(enumerate(pictures)),
        style=_safe(_joined(_STYLES)),
        script=_safe(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_safe(safe_json(instance_data(report, pictures))),
    )
    # Names of files can hold what no encoding has.
    return page.encode("utf-8", "replace").decode("utf-8")


def need_html() -> None:
    """Find out whether a page can be made, before hours of work for it.

    Raises
    ------
    MissingExtraError
        Jinja is not installed.
    """
    _environment()


def _safe(text: str) -> Any:  # noqa: ANN401 - jinja2 is optional, so its types are too
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - only for our own files and charts, and JSON made safe


@cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError(
            "an HTML report needs the jinja2 library, which is not installed; run pip install 'mitobench[report]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mitobench.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "number": _words.number,
        "ends": _words.ends,
        "metric": _words.metric_label,
        "amount": _words.amount,
        "chart": _safe,
        "data_uri": _data_uri,
        "nanometres": _words.length,
        "scale_bar": _scale_bar,
    }
    environment.globals |= {
        "figures": _figures,
        "mistakes": _mistakes,
        "standing": _standing,
        "words": _words,
        "published_source": PUBLISHED_SOURCE,
    }
    return environment


def _shown(value: object) -> object:
    """Make any text that comes from the report harmless to the order of text on the page."""
    return _words.visible(value) if type(value) is str else value


@cache
def _joined(names: tuple[str, ...]) -> str:
    folder = files("mitobench.render") / "templates"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def _data_uri(png: bytes) -> Any:  # noqa: ANN401
    return _safe(f"data:image/png;base64,{base64.b64encode(png).decode()}")


def _scale_bar(picture: Picture) -> tuple[float, float]:
    """Return a round length in nm, about a quarter of the picture's width, and its pixels.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> _scale_bar(SimpleNamespace(width=100, pixel_size=(8.0, 8.0)))
    (200.0, 25.0)
    """
    pixel = picture.pixel_size[1]
    lengths = [factor * 10.0**power for power in range(-3, 7) for factor in (1, 2, 5)]
    nanometres = max((length for length in lengths if length <= picture.width * pixel * 0.3), default=lengths[0])
    return nanometres, round(nanometres / pixel, 2)
