"""The pages of the site as texts: the values that the other files make, put into templates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from leaderboard.board import boards
from leaderboard.challenge import MITOEM
from leaderboard.site import _board
from leaderboard.site._board import board_view
from leaderboard.site._compare import MOST_COMPARED, board_pairs, signed
from leaderboard.site._names import check_names
from mitobench import __version__
from mitobench.render import figures, mistakes, standing
from mitobench.render.pages import assets, content_policy, encodable, new_environment, safe, safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment

    from leaderboard.entry import Entry
    from leaderboard.site._board import BoardView, Row

__all__ = ["CARD_FIELDS", "EXAMPLE_CARD", "build_site"]

_SHARED, _OWN = "mitobench.render", "leaderboard.site"
EXAMPLE_CARD = """\
method = "U3D-BC+MW"
team = "Our laboratory"
authors = "A. Author, B. Author"
description = \"\"\"
3D U-Net that predicts masks and contours, then a watershed.
Trained on sections 0-399 of both volumes.\"\"\"
code = "https://example.org/our-method"
paper = "https://example.org/our-paper"
command = "python predict.py --model final.pt"
"""
CARD_FIELDS = {
    "method": "Its name, up to 100 characters of any script.",
    "team": "Who submits, up to 100 characters.",
    "authors": "As in a publication, up to 100 characters.",
    "description": "What the method does and what it was trained on; up to 5,000 characters in several lines.",
    "code": "Address of the code, https://...",
    "paper": "Address of the publication, https://...",
    "command": "What made the prediction; up to 2,000 characters in several lines.",
}


def build_site(entries: Iterable[Entry]) -> dict[str, str]:
    """Return every page of the site; equal entries give equal pages.

    Nothing of the tables of instances but counts is on any page, because they tell where private ground truth lies.

    Parameters
    ----------
    entries
        In any order; they are put on boards by rule and task.

    Returns
    -------
    dict
        Path from the folder of the site -> HTML.

    Raises
    ------
    InvalidInputError
        Two results of one rule and task have the same name.
    MissingExtraError
        Jinja is not installed.
    """
    environment = _environment()
    found = boards(entries)
    check_names(found)
    views = tuple(map(board_view, found))
    return {
        "index.html": _page(environment, "index", scripts=("board.js",), views=views),
        "compare.html": _compare_page(environment, views),
        "submit.html": _submit_page(environment),
        **{row.path: _method_page(environment, view, row) for view in views for row in view.rows},
    }


@cache
def _environment() -> Environment:
    environment = new_environment(_OWN)
    # What reports and the site show alike has one template.
    from jinja2 import ChoiceLoader, PackageLoader

    environment.loader = ChoiceLoader([PackageLoader(_OWN), PackageLoader(_SHARED)])
    environment.filters |= {"bar": _bar, "day": _board.day, "lines": str.splitlines, "signed": signed}
    environment.globals |= {"figures": figures, "mistakes": mistakes, "standing": standing, "site": _board}
    return environment


def _bar(entry: Entry) -> Any:  # noqa: ANN401 - jinja2 is optional, so its types are too
    return safe(_board.interval_bar(entry))


def _page(environment: Environment, name: str, *, scripts: tuple[str, ...] = (), root: str = "", **values: Any) -> str:  # noqa: ANN401
    """Return a page; ``root`` leads from it to the folder of the site."""
    script = assets(_SHARED, ("theme.js",)) + assets(_OWN, scripts)
    page = environment.get_template(f"{name}.html.j2").render(
        page=name,
        root=root,
        version=__version__,
        style=safe(assets(_SHARED, ("page.css", "charts.css", "table.css")) + assets(_OWN, ("site.css",))),
        script=safe(script),
        policy=content_policy([script]),
        **values,
    )
    return encodable(page)


def _compare_page(environment: Environment, views: tuple[BoardView, ...]) -> str:
    pairs = [board_pairs(view) for view in views]
    data = safe(safe_json([found.to_dict() for found in pairs if found.gaps]))
    return _page(environment, "compare", scripts=("compare.js",), boards=pairs, data=data, most=MOST_COMPARED)


def _submit_page(environment: Environment) -> str:
    return _page(environment, "submit", challenge=MITOEM, card_fields=CARD_FIELDS, example=EXAMPLE_CARD)


def _method_page(environment: Environment, view: BoardView, row: Row) -> str:
    # The templates of reports would draw sizes of instances, too.
    entry = row.entry
    counted = () if entry.report is None else entry.report.volumes
    report = entry.without_instances().report
    return _page(
        environment,
        "method",
        root="../../",
        view=view,
        row=row,
        entry=entry,
        report=report,
        errors=[mistakes.compositions(volume) for volume in counted],
    )
