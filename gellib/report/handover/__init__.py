"""What a run is handed over with: model card, methods paragraph, reporting checklist."""

from gellib.report.handover.checklist import GUIDELINES, GuidelineError, checklist
from gellib.report.handover.document import (
    DocumentError,
    to_html,
    to_markdown,
    write_document,
)
from gellib.report.handover.methods import Methods, write_methods
from gellib.report.handover.model_card import card_of, card_section, model_card
from gellib.report.handover.reported import Reported, ReportedError

__all__ = [
    "GUIDELINES",
    "GuidelineError",
    "DocumentError",
    "Methods",
    "Reported",
    "ReportedError",
    "card_of",
    "card_section",
    "checklist",
    "model_card",
    "to_html",
    "to_markdown",
    "write_document",
    "write_methods",
]
