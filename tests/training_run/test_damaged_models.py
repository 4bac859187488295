"""Damaged records and models: one sentence that names the file, or right probabilities."""

import copy
import json
import random
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from making.folders import make_gels
from making.sweeps import make_run
from safetensors import safe_open
from safetensors.torch import save_file

from gellib.cli import main
from gellib.models.backbones import BackboneError, build_backbone
from gellib.models.explain import fit_out_of_distribution
from gellib.models.heads import build_head
from gellib.models.training import ModelError, save_model
from gellib.runs import RunFolder
from gellib.training_run.find_runs import PredictorError
from gellib.training_run.predictor import Predictor

pytestmark = pytest.mark.slow
CLASSES = ["gel", "not_gel"]
VALUES = (None, True, "x", "", -1, 0, 1e6, float("inf"), float("nan"), [], {}, [None], "9" * 5000)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a random head, and all that may stand in a model file."""
    folder = tmp_path_factory.mktemp("damaged")
    images = make_gels(folder / "data", {"train": 2, "test": 2})
    params = {"dataset_dir": str(folder / "data"), "weights": "none", "image_size": 32}
    run = make_run(folder / "runs" / "one", images, params, root=folder / "data", accuracy=1.0)
    backbone = build_backbone("resnet18", weights="none", image_size=32)
    head = build_head("single", backbone.dim, 2, seed=0).eval()
    rng = np.random.default_rng(0)
    from gellib.models.features import view_statistics

    view = np.zeros((3, 32, 32), dtype=np.float32)
    statistics = rng.normal(size=(60, len(view_statistics(view)))).astype(np.float32)
    features = rng.normal(size=(60, backbone.dim)).astype(np.float32)
    fitted = fit_out_of_distribution(
        features, statistics, np.arange(40), np.arange(40, 60), labels=np.arange(60) % 2
    )
    save_model(
        run.model, head, backbone,
        {
            "classes": CLASSES, "temperature": 1.3, "out_of_distribution": fitted.metadata(),
            "prediction_sets": {
                "thresholds": [0.2, 0.3], "groups": [30, 30], "level": 0.95, "source": "validation",
            },
        },
        fitted.tensors(),
    )  # fmt: skip
    return run


@pytest.fixture
def damaged(run, tmp_path):
    return RunFolder(shutil.copytree(run.path, tmp_path / "one"))


def image_of(run):
    return sorted((run.path.parents[1] / "data").rglob("*.png"))[0]


def paths_of(value, before=()):
    """Every key of a JSON value, as paths."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in items:
        yield (*before, key)
        if isinstance(below, (dict, list)) and below:
            yield from paths_of(below, (*before, key))


def mutated(value, path, new=None, *, drop=False):
    value = copy.deepcopy(value)
    place = value
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return value


def check(run, image, what):
    """Return whether the run predicts; what it says is right, or one sentence with the file."""
    try:
        (found,) = Predictor(run).predict([image])
    except (PredictorError, ModelError, BackboneError) as err:
        text = str(err)
        assert str(run.path) in text or "mine" in text, (what, text)
        assert "\n" not in text and len(text) < 700, (what, text)
        return False
    shares = list(found.probabilities.values())
    assert found.error or (np.isfinite(shares).all() and sum(shares) == pytest.approx(1)), what
    return True


def test_records_with_a_key_changed(run, damaged):
    rng = random.Random(0)
    record, image, outcomes = json.loads(run.record.read_text()), image_of(run), []
    cases = [(path, value) for path in paths_of(record) for value in (*VALUES, "drop")]
    # All of what a prediction rests on, and some of the rest.
    first = [case for case in cases if case[0][0] in ("schema", "status", "config", "data")]
    chosen = rng.sample(first, 60) + rng.sample(cases, 40)
    for path, value in chosen:
        new = mutated(record, path, value, drop=value == "drop")
        damaged.record.write_text(json.dumps(new))
        outcomes.append(check(damaged, image, (path, value)))
    assert any(outcomes) and not all(outcomes)


def test_models_with_a_key_or_a_tensor_changed(run, damaged):
    rng = random.Random(1)
    with safe_open(run.model, framework="pt") as file:
        facts = json.loads(file.metadata()["gellib"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    cases = [(path, value) for path in paths_of(facts) for value in (*VALUES, "drop")]
    image, outcomes = image_of(run), []
    for path, value in rng.sample(cases, 100):
        new = mutated(facts, path, value, drop=value == "drop")
        save_file(tensors, damaged.model, metadata={"gellib": json.dumps(new)})
        outcomes.append(check(damaged, image, (path, value)))
    for name in tensors:
        if name.startswith("backbone."):
            continue
        for change in (
            lambda t: None,
            lambda t: t[:1],
            lambda t: t.double() * float("nan") if t.is_floating_point() else t - 10**6,
            lambda t: t.double() * float("inf") if t.is_floating_point() else t + 10**6,
        ):
            new = {**tensors, name: change(tensors[name])}
            new = {k: v.contiguous() for k, v in new.items() if v is not None}
            save_file(new, damaged.model, metadata={"gellib": json.dumps(facts)})
            outcomes.append(check(damaged, image, name))
    assert any(outcomes) and not all(outcomes)


@pytest.mark.parametrize("kind", ["record", "model"])
def test_files_with_bytes_changed(run, damaged, kind):
    rng = random.Random(2)
    file, whole, image = getattr(damaged, kind), getattr(run, kind).read_bytes(), image_of(run)
    outcomes = []
    for number in range(60):
        content = bytearray(whole)
        if number < 15:
            content = content[: int(len(content) * number / 15)]
        else:
            # The first bytes say what the rest is.
            reach = 3000 if number % 2 else len(content)
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(min(reach, len(content)))] = rng.randrange(256)
        file.write_bytes(content)
        outcomes.append(check(damaged, image, (kind, number)))
    assert not all(outcomes)


def test_deep_and_foreign_json(run, damaged):
    for text in ("[" * 100_000, "[]", "null", "3", '{"schema": ' + "9" * 6000 + "}", "\ufeff{}"):
        damaged.record.write_text(text, encoding="utf-8")
        assert not check(damaged, image_of(run), text[:20])
    shutil.copy(run.record, damaged.record)
    for text in ("[" * 100_000, "[]", "null", "3", '{"format": {}}', ""):
        save_file({}, damaged.model, metadata={"gellib": text})
        assert not check(damaged, image_of(run), text[:20])


def test_a_model_whose_values_overflow_gives_no_class(run, damaged):
    with safe_open(run.model, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    large = torch.where(tensors["head.0.weight"] > 0, 3e38, -3e38)
    save_file({**tensors, "head.0.weight": large}, damaged.model, metadata=metadata)
    (found,) = Predictor(damaged).predict([image_of(run)])
    assert not found.label and "no probabilities" in found.error
    save_file(
        {**tensors, "head.0.bias": tensors["head.0.bias"] * float("nan")}, damaged.model,
        metadata=metadata,
    )  # fmt: skip
    with pytest.raises(PredictorError, match="bias has values that are not finite"):
        Predictor(damaged)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"{}", b'{"schema": 1, "status": "done"}'])
@pytest.mark.parametrize("kind", ["record", "model"])
def test_the_command_says_one_sentence(run, damaged, kind, content):
    getattr(damaged, kind).write_bytes(content)
    result = CliRunner().invoke(main, ["predict", str(image_of(run)), "--run", str(damaged.path)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert result.output.startswith("Error: ") and str(getattr(damaged, kind)) in result.output
    assert "Traceback" not in result.output and result.output.count("\n") == 1
