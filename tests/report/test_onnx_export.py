"""A model as ONNX predicts as its run does, whatever the image, backbone, head and task."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from making.images import make_flat_png, random_pixels
from making.models import make_model_run
from making.sweeps import make_sweep

from gellib.base.paths import PROJECT_ROOT
from gellib.cli import main
from gellib.data.pixels import to_uint8
from gellib.evaluation import task_of_labels
from gellib.models.backbones import Preprocessing
from gellib.models.features import unaugmented_view, view_statistics
from gellib.report.export import export_onnx
from gellib.report.export.onnx_file import PRECISIONS
from gellib.training_run.prediction import Prediction
from gellib.training_run.predictor import Predictor

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SIZES = [(1, 90), (90, 1), (40, 31), (64, 64), (150, 70), (75, 160), (301, 290), (290, 301)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("color", ["grey", "rgb"])
@pytest.mark.parametrize("contrast", ["none", "stretch"])
def test_the_graph_prepares_every_image_to_the_bit(interpolation, color, contrast):
    from PIL import Image

    from gellib.report.export.image_graph import image_graph

    pre = Preprocessing(64, 73, (0.5,), (0.5,), interpolation, color, contrast=contrast)
    session = ort.InferenceSession(image_graph(pre, "view").SerializeToString())
    flat = np.full((70, 80, 3), 9, np.uint8)
    for image in (*(random_pixels(*size, 3) // 2 + 30 for size in SIZES), flat):
        (view,) = session.run(None, {"image": image})
        expected = unaugmented_view(to_uint8(Image.fromarray(image), color), pre)
        assert view.dtype == np.uint8 and (view[0] == expected).all(), image.shape


_SESSION = """
import sys, gellib.report.export, onnxruntime
onnxruntime.InferenceSession(sys.stdin.buffer.read(), providers=["CPUExecutionProvider"])
"""


@pytest.mark.slow
def test_onnx_runtime_keeps_nothing_of_its_use(tmp_path):
    """Where it collects facts to send, it leaves a file in the temporary folder."""
    from gellib.report.export.image_graph import image_graph

    graph = image_graph(Preprocessing(64, 73, (0.5,), (0.5,), "bilinear", "grey"), "view")
    words = [sys.executable, "-c", _SESSION]
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    env |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(PROJECT_ROOT)}
    subprocess.run(words, input=graph.SerializeToString(), env=env, check=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [32, 65])
def test_statistics_of_a_view_are_those_of_the_detector(size):
    import torch

    from gellib.report.export.likeness import ViewStatistics

    network = ViewStatistics(size)
    smooth = np.tile(np.linspace(0, 200, size, dtype=np.uint8), (size, 1))[None]
    for view in (random_pixels(1, size, size), random_pixels(3, size, size), smooth, smooth * 0):
        found = network(torch.from_numpy(view)[None]).numpy()
        assert found == pytest.approx(view_statistics(view), abs=2e-4)


VARIANTS = {
    "grey, one layer": ("resnet18", "single", {"image_size": 64}),
    "colour, residual": (
        "mobilenet-v3", "residual", {"image_size": 64, "color": "rgb", "contrast": "stretch"},
    ),
    "joined, several labels": (
        "resnet18+mobilenet-v3", "attention",
        {"image_size": 64, "task": "multilabel", "classes": ("a", "b", "c")},
    ),
    "one channel, no detector": (
        "resnet18", "multi", {"image_size": 64, "input_adapter": "sum", "detector": False},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_file_predicts_as_its_run(name, tmp_path):
    from gellib.report.export.verify import ask

    backbone, head, more = VARIANTS[name]
    run = make_model_run(tmp_path, backbone, head, **more)
    found = export_onnx(run.path, tmp_path / "model.onnx")
    assert found.difference < 1e-5 and found.same == found.compared == 24 and found.own
    assert found.same_sets == 24
    assert found.same_unlike == (24 if more.get("detector", True) else None)
    predictor = Predictor(run)
    session = ort.InferenceSession(str(found.file))
    images = sorted((tmp_path / "data").rglob("*.png"))[::5]
    maps = 0.0
    for image, expected in zip(images, predictor.predict(images), strict=True):
        answers = ask(session, image, predictor)
        own = [n for n, on in zip(predictor.classes, answers["set"], strict=True) if on]
        assert tuple(own) == expected.members
        if expected.ood_score is not None:
            place = answers["probabilities"].argmax() if predictor.task.exclusive else 0
            assert answers["unlike"][place] == pytest.approx(expected.ood_score, abs=5e-3)
            assert bool((answers["unlike"] > 1).all()) == expected.unlike_all
        maps = max(maps, answers["map"].max())
    assert maps == pytest.approx(1, abs=1e-5)
    assert ("unlike" in answers) == more.get("detector", True)
    facts = {p.key: p.value for p in onnx.load(str(found.file)).metadata_props}
    assert json.loads(facts["classes"]) == list(predictor.classes)
    assert json.loads(facts["preprocessing"]) == predictor.backbone.preprocessing.to_dict()
    assert json.loads(facts["run"]) == predictor.name and facts["precision"] == "fp32"


@pytest.mark.slow
def test_the_heat_map_is_grad_cam_and_smaller_weights_cost_little(tmp_path):
    pytest.importorskip("captum")
    from gellib.data.images import read_image
    from gellib.models.explain import explain_views
    from gellib.report.export.onnx_file import build_view_model, open_predictor
    from gellib.report.export.stored_weights import shrink

    run = make_model_run(tmp_path, "mobilenet-v3", "dense", image_size=96)
    predictor = open_predictor(run.path, "fp32")
    model, proto = build_view_model(predictor)
    files = sorted((tmp_path / "data").rglob("*.png"))[::6]
    pre = predictor.backbone.preprocessing
    views = np.stack([unaugmented_view(read_image(file), pre) for file in files])
    answers, sizes = {}, {}
    for precision in ("fp32", "int16", "fp16", "int8"):
        copy = onnx.ModelProto.FromString(proto.SerializeToString())
        content = shrink(copy, precision).SerializeToString()
        session = ort.InferenceSession(content)
        name = session.get_inputs()[0].name
        answers[precision] = [session.run(None, {name: view[None]}) for view in views]
        sizes[precision] = len(content)
    assert sizes["fp16"] < 0.55 * sizes["fp32"] and sizes["int8"] < 0.35 * sizes["fp32"]
    assert sizes["int16"] < 1.1 * sizes["fp16"]
    exact = np.stack([found[0] for found in answers["fp32"]])
    away = {
        precision: np.abs(np.stack([own[0] for own in found]) - exact).mean()
        for precision, found in answers.items()
    }
    assert away["int16"] < away["fp16"] / 3 < away["int8"]
    wanted = predictor.predict(files)
    limits, said = np.array(predictor.rule.thresholds), model.outputs
    for precision, largest in (("fp32", 1e-5), ("int16", 1e-3), ("fp16", 0.02), ("int8", 0.2)):
        clear = 0
        for found, one in zip(answers[precision], wanted, strict=True):
            shares = np.array([*one.probabilities.values()])
            assert found[0] == pytest.approx(shares, abs=largest)
            if np.abs(shares - limits).min() > largest:
                members = np.isin(predictor.classes, one.members)
                assert (found[said.index("set")] == members).all(), precision
                clear += 1
            score = found[said.index("unlike")][shares.argmax()]
            assert score == pytest.approx(one.ood_score, abs=max(largest, 5e-3)), precision
        assert clear, "no set was compared"
    targets = [found[0].argmax() for found in answers["fp32"]]
    explained = explain_views(predictor.backbone, predictor.head, views, targets).maps
    place = said.index("map")
    for found, expected in zip(answers["fp32"], explained, strict=True):
        assert found[place] == pytest.approx(expected, abs=1e-3)


def tiny_model(members, unlike):
    """A model of a and b: NaN for a black image, 1/4 and 3/4 for others; the rest as given."""
    from gellib.report.export.image_graph import IR_VERSION, OPSET

    helper, array = onnx.helper, onnx.numpy_helper.from_array
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["largest"], keepdims=0),
        helper.make_node("Div", ["largest", "largest"], ["one"]),
        helper.make_node("Mul", ["shares", "one"], ["probabilities"]),
    ]
    answers = {"labels": [False, True], "set": members, "unlike": np.float32(unlike)}
    for name, value in answers.items():
        nodes.append(helper.make_node("Constant", [], [name], value=array(np.array(value))))
    kind = {"probabilities": 1, "labels": 9, "set": 9, "unlike": 1}
    outputs = [helper.make_tensor_value_info(name, k, [2]) for name, k in kind.items()]
    taken = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["h", "w", 3])
    shares = array(np.float32([0.25, 0.75]), "shares")
    graph = helper.make_graph(nodes, "tiny", [taken], outputs, [shares])
    opset = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    return made.SerializeToString()


def compared(monkeypatch, images, members=(False, True), unlike=(2, 0.5)):
    """Compare the tiny model with a run that says `b` of each image, and that it is like b."""
    from gellib.report.export import verify

    said = {"label": "b", "probabilities": {"a": 0.25, "b": 0.75}, "members": ("b",)}
    run = SimpleNamespace(
        classes=("a", "b"),
        limits=None,
        task=task_of_labels(False),
        predict=lambda sources: [Prediction(name, ood_score=0.5, **said) for name, _ in sources],
    )
    named = [(f"{number}.png", image) for number, image in enumerate(images)]
    monkeypatch.setattr(verify, "own_images", lambda run: named)
    return verify.compare_export(tiny_model(members, unlike), run)


GREY, BLACK = make_flat_png(90), make_flat_png(0)


@pytest.mark.parametrize(
    "images",
    [(BLACK,), (BLACK, GREY, GREY), (GREY, BLACK, GREY), (GREY, BLACK)],
)
def test_an_answer_that_is_not_a_number_is_refused(images, monkeypatch):
    from gellib.report.export import onnx_file, outcome

    found = compared(monkeypatch, images)
    assert np.isnan(found.difference) and found.compared == len(images)
    assert compared(monkeypatch, [GREY]).difference == 0
    for difference in (found.difference, np.inf):
        wrong = outcome.Exported(Path("x.onnx"), "r", difference, *found[1:], ("map",))
        for precision in onnx_file.PRECISIONS:
            with pytest.raises(outcome.ExportError, match="x.onnx was not written"):
                outcome.refuse_if_wrong(wrong, precision)


def test_nothing_compared_is_no_agreement(monkeypatch):
    from gellib.report.export import verify

    monkeypatch.setattr(verify, "_generated", list)
    assert compared(monkeypatch, []) == (np.inf, 0, 0, False, None, None)


@pytest.mark.parametrize(
    ("members", "unlike", "sets", "alike"),
    [
        ((False, True), (2, 0.5), 2, 2),
        ((False, True), (2, 0.99), 2, 2),
        ((True, True), (2, 0.5), 0, 2),
        ((False, False), (2, 0.5), 0, 2),
        ((False, True), (2, 1.5), 2, 0),
    ],
)
def test_sets_and_likeness_are_compared(members, unlike, sets, alike, monkeypatch):
    found = compared(monkeypatch, [GREY, GREY], members, unlike)
    assert (found.same, found.same_sets, found.same_unlike) == (2, sets, alike)


def test_what_cannot_be_exported_is_said(tmp_path, monkeypatch):
    from gellib.report.export import outcome

    def shown(*arguments):
        return CliRunner().invoke(main, ["export", *map(str, arguments)])

    nothing = shown(tmp_path)
    assert nothing.exit_code == 2 and "--onnx FILE" in nothing.output
    no_run = shown(tmp_path, "--onnx", tmp_path / "x.onnx")
    assert no_run.exit_code == 1 and "No finished run" in no_run.output
    assert shown(tmp_path, "--out", "x", "--onnx", "y").exit_code == 2
    wrong = outcome.Exported(tmp_path / "x.onnx", "r", 2e-4, 3, 4, True, 2, 1, ("map",))
    with pytest.raises(outcome.ExportError, match="not written: .* 2.0e-04, .* at most 0.0001"):
        outcome.refuse_if_wrong(wrong, "fp32")
    outcome.refuse_if_wrong(wrong, "int8")
    assert "sets for 2, equally like or unlike the training images for 1" in wrong.sentence()
    sweep = make_sweep(
        tmp_path / "gel", tmp_path / "data", grid=(("cpu", "vgg16", "single", "sgd"),)
    )
    damaged = shown(sweep.path, "--onnx", tmp_path / "x.onnx")
    assert damaged.exit_code == 1 and "model.safetensors" in damaged.output
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", [(64, 32), (40, 8, 3, 3), (200, 1, 3, 3), (1500,), (3, 2)])
@pytest.mark.parametrize("kind", ["usual", "zeros", "tiny", "huge", "one large"])
def test_weights_of_any_form_come_back(precision, shape, kind):
    from gellib.report.export.stored_weights import shrink

    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, shape).astype(np.float32)
    values *= {"zeros": 0, "tiny": 1e-6, "huge": 1e5}.get(kind, 1)
    if kind == "one large":
        values.reshape(-1)[0] = 1000
    tensor = onnx.numpy_helper.from_array(values, "weights")
    value = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, shape)
    node = onnx.helper.make_node("Identity", ["weights"], ["out"])
    graph = onnx.helper.make_graph([node], "g", [], [value], [tensor])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )
    session = ort.InferenceSession(shrink(model, precision).SerializeToString())
    (found,) = session.run(["out"], {})
    each = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    largest = {
        "fp32": 0,
        "int16": each / 32767 / 2,
        "fp16": np.maximum(np.abs(values) / 2048, 6e-8) if kind != "huge" else np.inf,
        "int8": np.where(values.ndim > 1, each / 127 / 2, np.inf),
    }[precision]
    # A hundredth of a step for the rounding of scales and products in single precision.
    assert np.isfinite(found).all() and (np.abs(found - values) <= largest * 1.01 + 1e-12).all()
