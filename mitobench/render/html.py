"""A report as one self-contained page: no file beside it, no request to anywhere."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

from mitobench.published import PUBLISHED_SOURCE
from mitobench.render import figures, mistakes, standing
from mitobench.render._instances import instance_data
from mitobench.render.pages import assets, content_policy, encodable, new_environment, safe, safe_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from mitobench.pictures import Picture
    from mitobench.report import Report

__all__ = ["need_html", "to_html"]

_PACKAGE = "mitobench.render"
_STYLES = ("page.css", "charts.css", "table.css")
_SCRIPTS = ("theme.js", "pictures.js", "table.js")


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
    script = assets(_PACKAGE, _SCRIPTS)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            pictures=list(enumerate(pictures)),
            style=safe(assets(_PACKAGE, _STYLES)),
            script=safe(script),
            policy=content_policy([script]),
            data=safe(safe_json(instance_data(report, pictures))),
        )
    )
    return encodable(page)


def need_html() -> None:
    """Find out whether a page can be made, before hours of work for it.

    Raises
    ------
    MissingExtraError
        Jinja is not installed.
    """
    _environment()


@cache
def _environment() -> Environment:
    environment = new_environment(_PACKAGE)
    environment.filters |= {"data_uri": _data_uri, "scale_bar": _scale_bar}
    environment.globals |= {
        "figures": figures,
        "mistakes": mistakes,
        "standing": standing,
        "published_source": PUBLISHED_SOURCE,
    }
    return environment


def _data_uri(png: bytes) -> Any:  # noqa: ANN401
    return safe(f"data:image/png;base64,{base64.b64encode(png).decode()}")


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
