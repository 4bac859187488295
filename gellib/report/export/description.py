"""What a reader of an exported model needs to know of it."""

from __future__ import annotations

import json
from typing import Any

import onnx
from onnx import helper

from gellib import __version__
from gellib.base.markup import in_markdown
from gellib.report.export.image_graph import takes_tall_images_down_first
from gellib.report.export.onnx_file import INPUT
from gellib.report.export.outcome import Exported
from gellib.report.handover import model_card, to_html, to_markdown
from gellib.report.handover.document import Block, Heading, Paragraph
from gellib.training_run.predictor import Predictor


def add_description(model: onnx.ModelProto, predictor: Predictor, precision: str) -> None:
    """Write what a reader needs to know into the metadata of an ONNX model."""
    model.producer_name, model.producer_version = "gellib", __version__
    facts = {key: json.dumps(value) for key, value in facts_of(predictor).items()}
    facts |= {"precision": precision, "card": to_markdown(model_card(predictor.run.path))}
    helper.set_model_props(model, facts)


def facts_of(predictor: Predictor) -> dict[str, Any]:
    """Collect what is needed to prepare an image and to read the answers."""
    rule = predictor.rule
    return {
        "gellib": __version__,
        "run": predictor.name,
        "classes": list(predictor.classes),
        "task": predictor.task.name,
        "preprocessing": predictor.backbone.preprocessing.to_dict(),
        "reading": (
            "red, green and blue, 8 bits; alpha over white; deeper images scaled so that the 0.1 "
            "and 99.9 percentiles of all channels become 0 and 255"
        ),
        "temperature": predictor.temperature,
        "thresholds": predictor.thresholds,
        "prediction_sets": rule.metadata() if rule is not None else None,
        "unlike": "above 1: unlike the training images of the class",
        "backbone": predictor.backbone.name,
        "head": predictor.head.kind,
        "weights": {
            "name": predictor.backbone.weights.name,
            "source": predictor.backbone.weights.source,
            "license": predictor.backbone.weights.license,
        },
    }


_MOST_IN_TITLE = 4


def page_facts(predictor: Predictor) -> dict[str, Any]:
    """Collect what the script of the page needs to know."""
    classes, rule = predictor.classes, predictor.rule
    short = predictor.task.exclusive and len(classes) <= _MOST_IN_TITLE
    return {
        "title": f"{' or '.join(classes)}?" if short else predictor.run.path.name,
        "classes": list(classes),
        "exclusive": predictor.task.exclusive,
        "level": rule.level if rule is not None else None,
        "unsupported": [*rule.unsupported(classes)] if rule is not None else [],
        "preprocessing": predictor.backbone.preprocessing.to_dict(),
        "tall_down_first": takes_tall_images_down_first(),
        "max_bytes": predictor.limits.max_bytes,
        "max_pixels": predictor.limits.max_pixels,
        "input": INPUT,
    }


def page_card(predictor: Predictor, exported: Exported) -> str:
    """Write the model card, and what was compared, as HTML."""
    last: list[Block] = [
        Heading("This page"),
        Paragraph(in_markdown(f"Made with gellib {__version__}; {exported.sentence()}.")),
        Paragraph("It computes with ONNX Runtime Web (Microsoft, MIT licence)."),
    ]
    return to_html([*model_card(predictor.run.path), *last])
