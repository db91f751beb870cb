"""Reports as text and as pages for people. Nothing here computes a number."""

from mitobench.render.html import need_html, to_html
from mitobench.render.text import print_report, to_text

__all__ = ["need_html", "print_report", "to_html", "to_text"]
