"""Features of images by a frozen backbone, of unaugmented and of random views, cached on disk."""

from gellib.models.features.activations import activation_shape, cached_activations
from gellib.models.features.augmentation import (
    STEPS,
    augment,
    check_augmentation,
    image_key,
    prepare,
    random_views,
    unaugmented_view,
)
from gellib.models.features.batch_norms import calibrate_on_images
from gellib.models.features.extraction import (
    augmented_views,
    default_batch_size,
    extract_stream,
    map_in_threads,
    unaugmented_views,
)
from gellib.models.features.image_statistics import view_statistics
from gellib.models.features.store import FeatureStore

__all__ = [
    "STEPS",
    "FeatureStore",
    "activation_shape",
    "augment",
    "augmented_views",
    "cached_activations",
    "calibrate_on_images",
    "check_augmentation",
    "default_batch_size",
    "extract_stream",
    "image_key",
    "map_in_threads",
    "unaugmented_view",
    "unaugmented_views",
    "prepare",
    "random_views",
    "view_statistics",
]
