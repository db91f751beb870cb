"""What is wrong with a submission, in words that its maker can act on."""

from __future__ import annotations

from dataclasses import dataclass

from mitobench.render.words import visible

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """Something wrong or doubtful, in one line.

    Attributes
    ----------
    where
        The zip file or the member, such as ``submission.zip::0_human_instance_seg_pred.h5``.
    what
        What is wrong and what was expected.
    remedy
        What to do.

    Examples
    --------
    >>> print(Problem("a.zip", "holds nothing; expected two files", "pack it again"))
    a.zip: holds nothing; expected two files; pack it again
    """

    where: str
    what: str
    remedy: str

    @classmethod
    def of_error(cls, error: Exception, where: str) -> Problem:
        """Return an error of mitobench as a problem; what follows its last semicolon is the remedy."""
        what, _, remedy = str(error).rpartition("; ")
        return cls(where, what.removeprefix(f"{where}: "), remedy)

    def __str__(self) -> str:
        return visible(" ".join(f"{self.where}: {self.what}; {self.remedy}".split()))
