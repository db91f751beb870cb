"""Open label and image volumes of any supported format; write HDF5."""

from mitobench.volumes._open import open_image, open_labels
from mitobench.volumes._write_hdf5 import write_hdf5

__all__ = ["open_image", "open_labels", "write_hdf5"]
