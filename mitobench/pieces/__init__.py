"""How many connected pieces each instance of a volume has, in one streaming pass."""

from mitobench.pieces._count import count_pieces
from mitobench.pieces._table import Pieces

__all__ = ["Pieces", "count_pieces"]
