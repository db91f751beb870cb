"""Reports as text for people. Nothing here computes a number."""

from mitobench.render.text import print_report, to_text

__all__ = ["print_report", "to_text"]
