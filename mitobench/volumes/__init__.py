"""Open label and image volumes of any supported format, take parts of them; write HDF5."""

from mitobench.volumes._open import open_image, open_labels
from mitobench.volumes._write_hdf5 import plain_errors, write_hdf5
from mitobench.volumes.view import SectionRange, Stacked

__all__ = ["SectionRange", "Stacked", "open_image", "open_labels", "plain_errors", "write_hdf5"]
