"""Every step and figure of a training run, called too early, says which section to run first."""

import inspect

import pytest
from making.folders import make_stripes_and_dots

from gellib.config import RunConfig
from gellib.training_run import TrainingRun, TrainingRunError
from gellib.training_run.figures import RunFigures
from gellib.training_run.state import RunState

# What each needs, by the section of the notebook that gives it.
NEEDS = {
    2: ("images", "loaded", "train"),
    3: ("backbone", "compute", "describe"),
    4: ("result", "evaluate", "loss_accuracy", "class_curves", "learning_rate"),
    5: (
        *("evaluation", "uncertainty", "predictions", "metrics", "metrics_table", "finish"),
        *("confusion_matrix", "roc_curve", "calibration", "risk_coverage", "explain"),
        "demo_predictions",
    ),
}
CASES = [(name, section) for section, names in NEEDS.items() for name in names]


@pytest.fixture
def run(tmp_path):
    make_stripes_and_dots(tmp_path / "images")
    return TrainingRun(
        RunConfig(
            dataset_dir=str(tmp_path / "images"),
            run_dir=str(tmp_path / "run"),
            cache_dir=str(tmp_path / "cache"),
            image_size=32,
            num_epochs=2,
            weights="none",
            trainable="last:1",
            augmentation="none",
        )
    )


def use(run, name):
    found = getattr(run, name)
    return found() if callable(found) else found


def test_no_step_is_forgotten_here():
    public = {
        name
        for kind in (TrainingRun, RunFigures, RunState)
        for name, member in vars(kind).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }
    assert public - {"load_images", "load_backbone"} == {name for name, _ in CASES}


@pytest.mark.parametrize(("name", "section"), CASES)
@pytest.mark.slow
def test_too_early_is_refused_in_one_sentence(run, name, section):
    with pytest.raises(TrainingRunError) as refused:
        use(run, name)
    text = str(refused.value)
    assert text.startswith(f"{name}: ") and text.endswith(f"; run section {section} first")
    assert not run.folder.record.exists()


@pytest.mark.slow
def test_training_needs_images_and_backbone(run):
    run.load_images()
    with pytest.raises(TrainingRunError, match="train: there is no backbone yet; run section 3"):
        run.train()


@pytest.mark.slow
def test_a_repeated_step_makes_the_later_ones_due_again_and_gives_the_same(run):
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    first = run.predictions
    run.train()
    with pytest.raises(TrainingRunError, match="finish: nothing is evaluated yet"):
        run.finish()
    run.evaluate()
    # The trained layers began where they did the first time.
    assert run.predictions.equals(first)
    run.load_images()
    with pytest.raises(TrainingRunError, match="evaluate: there is nothing trained yet"):
        run.evaluate()
