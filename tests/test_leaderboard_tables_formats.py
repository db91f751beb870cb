"""Names of strangers in the tables of every format: they mean themselves."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console
from table_entries import RULE, latex_rows, published

from leaderboard.tables import harmless, paper_tables, print_tables, to_csv, to_latex, to_markdown, to_text

PRINTABLE = "".join(map(chr, range(32, 127)))


def unlatex(text):
    """Return what LaTeX prints; fails on a special character that is not escaped."""
    names = {"backslash": "\\", "asciitilde": "~", "asciicircum": "^", "less": "<", "greater": ">", "bar": "|",
             "asciigrave": "`"}  # fmt: skip
    token = re.compile(
        r"\\text(\w+)\{\}|\\(char34)\{\}|\\([&%$#_{}])|\{([\[*])\}|([-',])\{\}(?=\5)|([^\\&%$#_{}~^<>|\"`\[*])"
    )
    shown, place, previous = "", 0, ""
    while place < len(text):
        found = token.match(text, place)
        assert found, text[place:]
        command, quote, *others = found.groups()
        shown += names[command] if command else '"' if quote else next(filter(None, others))
        assert not (found[6] in {"-", "'", ","} and previous == found[6]), "two that are drawn as one"
        place, previous = found.end(), found[6]
    return shown


@example("a--b ''c ,,d --- [e] *f")
@example("<b>x</b> &amp; [y](z) \\| ![i](j) `k` ~~l~~ __m__")
@given(st.text(PRINTABLE, min_size=1, max_size=30).map(lambda text: " ".join(text.split())).filter(bool))
def test_every_name_is_itself_in_latex(name):
    text = to_latex(paper_tables([published(name), published("other")]))
    rows = latex_rows(text)
    assert all(len(row) == 10 for row in rows[1:])
    assert sorted(unlatex(row[0]) for row in rows[2:]) == sorted([name, "other"])


def test_latex_says_what_names_need():
    def needs(name):
        lines = to_latex(paper_tables([published(name)])).splitlines()
        return [line for line in lines if line.startswith("%")]

    booktabs = r"% needs \usepackage{booktabs}"
    assert needs("plain") == [booktabs]
    assert needs("Gödel") == [booktabs, r"% and \usepackage[T1]{fontenc} for some of the letters"]
    unicode_engine = (
        "% names hold characters that pdflatex cannot print: use lualatex or xelatex, and a font that has them"
    )
    assert needs("線粒體") == [booktabs, unicode_engine]
    assert "線粒體 &" in to_latex(paper_tables([published("線粒體")]))


class _Cells(HTMLParser):
    """Texts of the cells of a page, and the tags in it."""

    def __init__(self):
        super().__init__()
        self.cells, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@example("a--b ''c ,,d --- [e] *f")
@example("<b>x</b> &amp; [y](z) \\| ![i](j) `k` ~~l~~ __m__")
@given(st.text(PRINTABLE, min_size=1, max_size=30).map(lambda text: " ".join(text.split())).filter(bool))
def test_every_name_is_itself_in_markdown(name):
    text = to_markdown(paper_tables([published(name, remark=name)]))
    page = _Cells()
    page.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))
    assert page.tags <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert [cell.strip() for cell in page.cells][11:13] == [name, name]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =1", "\t1", "\r=1", "\uff1d1"])
def test_formulas_are_made_harmless(text):
    assert harmless(text) == f"'{text}"


def test_csv_has_no_formulas_and_keeps_numbers():
    entry = published("=HYPERLINK(1)", remark='a "b", c\nd')
    (row,) = csv.DictReader(io.StringIO(to_csv(paper_tables([entry]))))
    assert (row["method"], row["remark"], row["overall"]) == ("'=HYPERLINK(1)", 'a "b", c d', "0.5")


@pytest.mark.parametrize("write", [to_text, to_markdown, to_latex, to_csv])
def test_what_cannot_be_seen_is_shown(write):
    text = write(
        paper_tables([published(remark="a\u202eb\x1b[31m\u200b", source="s\x07", rule=RULE | {"label": "\x9b"})])
    )
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "a\ufffdb\ufffd" in text


def test_long_and_wide_names_keep_the_numbers_in_their_columns():
    (table,) = paper_tables([published("線粒體分割" * 8), published("a" * 100), published("short name " * 9)])
    for width in (40, 80, 120):
        text = to_text([table], width=width)
        ends = {cell_len(line.rstrip()) for line in text.splitlines() if re.search(r"0\.500\*$", line)}
        assert len(ends) == 1
        assert max(ends) <= max(width, 20 + 68)
        assert len(re.findall(r"0\.500\*", text)) == 27
    lines = [line for line in to_markdown([table]).splitlines() if line.startswith("|")]
    assert len({cell_len(line) for line in lines}) == 1


def test_a_terminal_shows_the_best_in_bold_and_no_stars():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", width=120)
    print_tables(paper_tables([published("A", human=0.75), published("B", human=0.25)]), console=console)
    assert "\x1b[1m0.750\x1b[0m" in text.getvalue()
    assert "0.250" in text.getvalue()
    assert "\x1b[1m0.250" not in text.getvalue()
    assert "*" not in text.getvalue()
