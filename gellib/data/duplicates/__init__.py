"""The same picture more than once: found, grouped and kept on one side of every split."""

from gellib.data.duplicates.families import Families, find_families
from gellib.data.duplicates.groups import (
    Duplicates,
    components,
    conflicting_pairs,
    count_moved,
    find_duplicates,
    group_images,
    torn_pairs,
)
from gellib.data.duplicates.pictures import Look, look_at
from gellib.data.duplicates.search import near_pairs

__all__ = [
    "Duplicates",
    "Families",
    "Look",
    "components",
    "conflicting_pairs",
    "count_moved",
    "find_duplicates",
    "find_families",
    "group_images",
    "look_at",
    "near_pairs",
    "torn_pairs",
]
