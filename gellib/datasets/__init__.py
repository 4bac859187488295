"""The layouts on disk -> one `ImageSet`: a table of files, labels, splits and groups."""

from gellib.datasets.checks import check_images, describe, inspect_images, unreadable
from gellib.datasets.imageset import DatasetError, ImageSet, drop_images, limit_images
from gellib.datasets.known import known
from gellib.datasets.load import load_imageset
from gellib.datasets.reviewed import DECISIONS, HEADER, REVIEWED, Decision, read_decisions

__all__ = [
    "DECISIONS",
    "Decision",
    "DatasetError",
    "ImageSet",
    "HEADER",
    "REVIEWED",
    "check_images",
    "describe",
    "drop_images",
    "inspect_images",
    "known",
    "limit_images",
    "load_imageset",
    "read_decisions",
    "unreadable",
]
