"""Open label and image volumes of any supported format."""

from mitobench.volumes._open import open_image, open_labels

__all__ = ["open_image", "open_labels"]
