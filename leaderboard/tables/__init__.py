"""The leaderboard as tables: of the paper's form or the platform's, for a terminal, Markdown, LaTeX or CSV."""

from leaderboard.tables._csv import harmless, to_csv
from leaderboard.tables._latex import to_latex
from leaderboard.tables._markdown import to_markdown
from leaderboard.tables._paper import Compare, paper_tables
from leaderboard.tables._platform import platform_table
from leaderboard.tables._table import Cell, Column, Row, Table
from leaderboard.tables._terminal import print_tables, to_text

__all__ = [
    "Cell",
    "Column",
    "Compare",
    "Row",
    "Table",
    "harmless",
    "paper_tables",
    "platform_table",
    "print_tables",
    "to_csv",
    "to_latex",
    "to_markdown",
    "to_text",
]
