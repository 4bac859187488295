"""A finished run as one HTML page that predicts in a browser, without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gellib.base.files import atomic_path
from gellib.base.paths import expand_user
from gellib.report.export.onnx_file import build_model, open_predictor
from gellib.report.export.outcome import Exported, refuse_if_wrong

_WEB = resources.files("gellib.report.export") / "web"
_RUNTIME = "ort.wasm.bundle.min.mjs"
_WASM = "ort-wasm-simd-threaded.wasm.gz"


def export_page(folder: str | Path, out: str | Path, precision: str = "int16") -> Exported:
    """Write the model of a run as a page, and compare the model with `gellib predict`.

    Compared are gellib's reading of images and the model in ONNX Runtime on this machine, not the
    page in a browser.

    Parameters
    ----------
    folder
        Folder of a finished run; of a folder of runs, the best is taken.
    out
        The page to write.
    precision
        How the weights are stored, as for `export_onnx`.

    Raises
    ------
    ExportError
        As `export_onnx`.
    PredictorError
        When there is no finished run.
    """
    from gellib.report.export.description import page_card, page_facts

    predictor = open_predictor(folder, precision)
    built = build_model(predictor, precision)
    result = Exported.measure(expand_user(out), predictor, built, page=True)
    refuse_if_wrong(result, precision)
    text = render_model_page(
        page_facts(predictor), page_card(predictor, result), built.second.SerializeToString()
    )
    with atomic_path(result.file) as partial:
        partial.write_text(text, encoding="utf-8")
    return result


def render_model_page(facts: dict[str, Any], card: str, model: bytes) -> str:
    """Write the page.

    Parameters
    ----------
    facts
        What the script needs to know, as `page_facts` collects it.
    card
        What is said of the model, HTML.
    model
        The model from view to answers, ONNX.
    """
    script = "\n".join(_text(name) for name in ("read.js", "decode.js", "page.js"))
    style = _text("page.css")
    policy = (
        f"default-src 'none'; script-src {_hash(script)} blob: 'wasm-unsafe-eval'; "
        f"style-src {_hash(style)}; img-src blob:; media-src blob: mediastream:; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )
    # What is `Markup` is a file of gellib, or escaped where it is made.
    template = Environment(autoescape=True).from_string(_text("page.html"))
    vendor = _WEB / "vendor"
    return template.render(
        title=facts["title"],
        policy=policy,
        style=Markup(style),  # nosec B704
        card=Markup(card),  # nosec B704
        facts=_json(facts),
        texts=_json(json.loads(_text("texts.json"))),
        runtime=_base64((vendor / _RUNTIME).read_bytes()),
        wasm=_base64((vendor / _WASM).read_bytes()),
        model=_base64(gzip.compress(model, 6, mtime=0)),
        script=Markup(script),  # nosec B704
    )


@cache
def _text(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _json(value: Any) -> Markup:
    # Inside a script, `<` alone could end it.
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return Markup(text)  # nosec B704


def _base64(content: bytes) -> Markup:
    return Markup(base64.b64encode(content).decode("ascii"))  # nosec B704


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
