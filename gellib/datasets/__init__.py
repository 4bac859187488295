"""The layouts on disk -> one `ImageSet`: a table of files, labels, splits and groups."""

from gellib.datasets.checks import check_images, describe, inspect_images, unreadable
from gellib.datasets.imageset import DatasetError, ImageSet, drop_images, limit_images
from gellib.datasets.load import load_imageset

__all__ = [
    "DatasetError",
    "ImageSet",
    "check_images",
    "describe",
    "drop_images",
    "inspect_images",
    "limit_images",
    "load_imageset",
    "unreadable",
]
