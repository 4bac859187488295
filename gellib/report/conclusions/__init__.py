"""What the results of a sweep say, in sentences computed from its comparison alone."""

from gellib.report.conclusions.choice import chosen_sentence
from gellib.report.conclusions.say import conclusions
from gellib.report.conclusions.wording import count, in_images, model_name, models

__all__ = ["chosen_sentence", "conclusions", "count", "in_images", "model_name", "models"]
