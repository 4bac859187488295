"""Duplicate images: found, grouped, and kept together in one split."""

from gellib.data.duplicates.clusters import Clusters, find_clusters
from gellib.data.duplicates.families import Families, find_families, label_codes
from gellib.data.duplicates.groups import (
    Duplicates,
    components,
    conflicting_pairs,
    count_reassigned,
    cross_split_pairs,
    find_duplicates,
    group_images,
)
from gellib.data.duplicates.image_summary import ImageSummary, summarise_images
from gellib.data.duplicates.keep import best_copy
from gellib.data.duplicates.parts import LARGEST_SET
from gellib.data.duplicates.search import near_pairs

__all__ = [
    "Duplicates",
    "Clusters",
    "Families",
    "ImageSummary",
    "LARGEST_SET",
    "best_copy",
    "components",
    "conflicting_pairs",
    "count_reassigned",
    "find_duplicates",
    "find_clusters",
    "find_families",
    "group_images",
    "label_codes",
    "summarise_images",
    "near_pairs",
    "cross_split_pairs",
]
