r"""Tables as LaTeX with the rules of the package booktabs."""

from __future__ import annotations

import re
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING

from leaderboard.tables._grid import padded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leaderboard.tables._table import Column, Row, Table

__all__ = ["to_latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\textasciigrave{}",
    # Behind the end of a row a bracket or a star would be taken for its option.
    "[": "{[}",
    "*": "{*}",
    # Two of one kind in a row would be drawn as one sign.
    "--": "-{}",
    "''": "'{}",
    ",,": ",{}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{DAGGER}": r"\textdagger{}",
    "\N{PLUS-MINUS SIGN}": r"\ensuremath{\pm}",
}
_FOUND = re.compile(r"([-',])(?=\1)|[\\&%$#_{}~^<>|\"`\[*\u2013\u2014\u2020\u00b1]")
_LAST_OF_PDFLATEX = 0x17F
"""Accented Latin letters end here; of what follows, pdflatex knows next to nothing."""


def to_latex(tables: Sequence[Table]) -> str:
    r"""Return tables as LaTeX floats; best values are bold.

    Every character that means something to LaTeX is escaped. Letters of other scripts are kept; a comment at the top
    says what they need.
    """
    body = "\n\n".join("\n".join(_lines(table)) for table in tables)
    return "\n".join([*_needs(body), body])


def _needs(body: str) -> Iterator[str]:
    yield r"% needs \usepackage{booktabs}"
    beyond_ascii = {character for character in body if not character.isascii()}
    if any(ord(character) > _LAST_OF_PDFLATEX for character in beyond_ascii):
        yield "% names hold characters that pdflatex cannot print: use lualatex or xelatex, and a font that has them"
    elif beyond_ascii:
        yield r"% and \usepackage[T1]{fontenc} for some of the letters"


def _lines(table: Table) -> Iterator[str]:
    yield from (r"\begin{table}", r"  \centering", rf"  \caption{{{_escaped(table.caption)}}}")
    yield rf"  \begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in table.columns)}}}"
    yield from (f"    {line}" for line in (r"\toprule", *_groups(table.columns), *_body(table), r"\bottomrule"))
    yield r"  \end{tabular}"
    if notes := [*table.notes, *table.omissions]:
        yield from (r"  \par\smallskip", r"  {\footnotesize")
        yield from (rf"  {_escaped(note)}\par" for note in notes)
        yield "  }"
    yield r"\end{table}"


def _groups(columns: Sequence[Column]) -> Iterator[str]:
    """Yield the line of the groups and the rules under them; nothing where there are none."""
    cells, rules, first = [], [], 1
    for name, members in groupby(columns, key=lambda column: column.group):
        count = len(list(members))
        cells += [rf"\multicolumn{{{count}}}{{c}}{{{_escaped(name)}}}"] if name else [""] * count
        rules += [rf"\cmidrule(lr){{{first}-{first + count - 1}}}"] if name else []
        first += count
    if rules:
        yield _line(cells)
        yield " ".join(rules)


def _body(table: Table) -> Iterator[str]:
    """Yield the headings, and a rule above the lines of each section."""
    sections = [[line for row in section for line in _rows(row)] for section in table.sections]
    headings = [_escaped(column.title) for column in table.columns]
    lines = iter(padded([headings, *chain.from_iterable(sections)], table.columns))
    yield _line(next(lines))
    for section in sections:
        yield r"\midrule"
        yield from map(_line, islice(lines, len(section)))


def _line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _rows(row: Row) -> Iterator[list[str]]:
    """Yield the values, and the line under them if there is one."""
    yield [rf"\textbf{{{_escaped(cell.text)}}}" if cell.best else _escaped(cell.text) for cell in row.cells]
    if any(cell.below for cell in row.cells):
        yield [rf"{{\scriptsize {_escaped(cell.below)}}}" if cell.below else "" for cell in row.cells]


def _escaped(text: str) -> str:
    return _FOUND.sub(lambda found: _SPECIAL[found[0] + (found[1] or "")], text)
