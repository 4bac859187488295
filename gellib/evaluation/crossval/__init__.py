"""What cross-validated scores show: verdicts between configurations, and how good the chosen is.

All on plain arrays: `values` (configurations K, repeats R, images N) are the scores out of fold, 1
for right and 0 for wrong or an F1 score per image, NaN where missing; `folds` (R, N) are the folds
that each image was in, the same for all configurations; `groups` names what belongs together.
"""

from gellib.evaluation.crossval.corrected import (
    Corrected,
    ScoreInterval,
    corrected_score,
    score_interval,
)
from gellib.evaluation.crossval.verdicts import (
    BETTER,
    MARGIN,
    SAME,
    UNCLEAR,
    WORSE,
    Verdict,
    Verdicts,
    choose,
    compare,
    compare_contrasts,
)

__all__ = [
    "BETTER",
    "MARGIN",
    "SAME",
    "UNCLEAR",
    "WORSE",
    "Corrected",
    "ScoreInterval",
    "Verdict",
    "Verdicts",
    "choose",
    "compare",
    "compare_contrasts",
    "corrected_score",
    "score_interval",
]
