"""The conclusions of a sweep, in sentences that follow from its comparison."""

from gellib.report.conclusions.conclusions import chosen_model_sentence, conclusions
from gellib.report.conclusions.wording import count, in_images, model_name, models

__all__ = ["chosen_model_sentence", "conclusions", "count", "in_images", "model_name", "models"]
