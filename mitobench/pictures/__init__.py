"""Pictures of single instances: three sections each, with the outlines of ground truth and prediction."""

from mitobench.pictures._front import Sources, check_images, report_pictures
from mitobench.pictures._picture import Outline, Picture, Section
from mitobench.pictures._take import error_pictures

__all__ = ["Outline", "Picture", "Section", "Sources", "check_images", "error_pictures", "report_pictures"]
