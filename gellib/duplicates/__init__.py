"""The same picture more than once: found, grouped and kept on one side of every split."""

from gellib.duplicates.families import Families, find_families
from gellib.duplicates.groups import (
    Duplicates,
    components,
    conflicting_pairs,
    count_moved,
    find_duplicates,
    group_images,
    torn_pairs,
)
from gellib.duplicates.pictures import Look, look_at
from gellib.duplicates.search import near_pairs

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
