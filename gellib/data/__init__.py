"""The layouts on disk -> one `ImageSet`: a table of files, labels, splits and groups."""

from gellib.data.imageset import DatasetError, ImageSet, drop_images, limit_images
from gellib.data.load import append_images, load_extra_training, load_imageset
from gellib.data.readable import describe, find_unreadable, inspect_images, unreadable
from gellib.data.reviewed import DECISIONS, HEADER, REVIEWED, Decision, read_decisions

__all__ = [
    "DECISIONS",
    "Decision",
    "DatasetError",
    "ImageSet",
    "HEADER",
    "REVIEWED",
    "append_images",
    "find_unreadable",
    "describe",
    "drop_images",
    "inspect_images",
    "limit_images",
    "load_extra_training",
    "load_imageset",
    "read_decisions",
    "unreadable",
]
