"""Write volumes as chunked HDF5 or OME-Zarr, resumable after a kill and verified by checksum."""

from mitobench.dataset.conversion._front import Conversion, checksum, convert
from mitobench.dataset.conversion._source import sections_of

__all__ = ["Conversion", "checksum", "convert", "sections_of"]
