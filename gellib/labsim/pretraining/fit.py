"""`pretrain`: a network learns the simulated classes, and becomes a file of weights with a card."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.labsim.pretraining.batches import LESSON_VIEWS, VIEWS_PER_IMAGE, course, lesson
from gellib.labsim.pretraining.files import read_card, write_card, write_weights
from gellib.labsim.pretraining.recipe import (
    FURTHER,
    RECIPES,
    PretrainError,
    Recipe,
    as_input,
    check_pretrainable,
    kept_form,
    loss_of,
    steps_in,
    student,
)
from gellib.labsim.pretraining.resume import take_up
from gellib.labsim.pretraining.validation import PER_CLASS, validate
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones import file_sha256, isolated_rng, resolve_precision
from gellib.models.backbones.architectures import batch_norms
from gellib.training_run.environment import git_commit

_CALIBRATION_PX = 224  # what the networks are used at
_CALIBRATION_LESSONS = 2
_CALIBRATION_BATCH = 64
_ROWS_OF_HISTORY = 40


def pretrain(
    backbone: str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    start: str | Path = "",
    out: str | Path = "weights",
    workers: int = 1,
    per_class: int = PER_CLASS,
    progress: bool = True,
    command: str = "",
) -> Path:
    """Train a network on simulated images alone and write `<out>/<backbone>.safetensors`.

    A card of the same name, `.json`, says how it was made and how well it does on held-out
    simulated images. The same seed and number of steps give the same weights on the same machine
    with the same number of threads.

    Parameters
    ----------
    backbone
        resnet18, mobilenet-v3 or vgg16.
    minutes
        Time to train for; becomes a number of steps by the speed that is measured here.
    steps
        Batches of the recipe's size instead; if neither is given, those of the network's recipe.
    start
        A file of `gellib pretrain` to go on from, by the recipe for that, best with another seed:
        the same one draws the same images again.
    workers
        Processes that draw images meanwhile; 0: the training one does.
    per_class
        Held-out images of each class that the card's figures are of.
    command
        For the card: what was called, if not the command that does the same.

    Returns
    -------
    The file of weights.

    Raises
    ------
    PretrainError
        For a network without a recipe, or a time or number of steps that is none.
    """
    name = check_pretrainable(backbone)
    recipe = (FURTHER if start else RECIPES)[name]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = resolve_precision(recipe.precision, device)
    if minutes is not None and steps is not None:
        raise PretrainError("got both minutes and steps; expected one of them")
    for what, value in (("minutes", minutes), ("steps", steps)):
        if value is not None and value <= 0:
            raise PretrainError(f"{what}: got {value}, expected more than 0")
    started = time.perf_counter()
    with isolated_rng(seed, "pretrain", name, device=device):
        if steps is None:
            steps = (
                recipe.steps
                if minutes is None
                else steps_in(minutes, name, device, precision, recipe)
            )
    views_seen = steps * recipe.batch
    # Again from the start: measuring the speed has used up random numbers.
    with isolated_rng(seed, "pretrain", name, device=device):
        network = student(name, len(CLASSES)).to(device)
        if start:
            views, _ = lesson(seed, 0, recipe.sizes(steps)[0])
            take_up(network, start, name, torch.from_numpy(views[:_CALIBRATION_BATCH]))
        history = _fit(network, recipe, steps, seed, workers, precision, progress)
        calibrate(network, seed, lessons=_CALIBRATION_LESSONS if views_seen > LESSON_VIEWS else 0)
    made = {
        "command": command
        or f"gellib pretrain --backbone {backbone} --steps {steps} --seed {seed}"
        + (f" --start {Path(start).name}" if start else ""),
        "seed": seed,
        **({"started_from": _origin(Path(start))} if start else {}),
        "commit": git_commit(),
        "steps": steps,
        "minutes": round((time.perf_counter() - started) / 60, 3),
        "images_seen": views_seen,
        "images_simulated": views_seen // VIEWS_PER_IMAGE,
        "sizes_px": [size_px for size_px, _ in recipe.phases],
        "trained_as": recipe.trained_as or name,
        "device": device.type,
        "precision": precision,
        "threads": torch.get_num_threads(),
    }
    file = Path(out) / f"{backbone}.safetensors"
    write_weights(file, kept_form(network, name, len(CLASSES)), name)
    write_card(
        file, name, made | {"validation": validate(file, per_class=per_class), "history": history}
    )
    return file


def _fit(
    network: nn.Module,
    recipe: Recipe,
    steps: int,
    seed: int,
    workers: int,
    precision: str,
    progress: bool,
) -> list[dict[str, float]]:
    """Train in place; return step, size_px, learning_rate, loss and accuracy, means of a stretch.

    Loss and accuracy are of the views as they were learned from: new ones, but of varied tone and
    cut, and judged before the step that they cause.
    """
    network.train()
    optimiser = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.learning_rate)
    rows, waiting = [], []
    every = max(1, steps // _ROWS_OF_HISTORY)
    step = 0
    sizes = recipe.sizes(steps)
    bar = tqdm(total=steps, unit="step", disable=not progress)
    with bar:
        for views, labels in course(seed, sizes, workers):
            for batch in range(0, len(views), recipe.batch):
                if step == steps:
                    break
                for group in optimiser.param_groups:
                    group["lr"] = recipe.rate(step, steps)
                shown = torch.from_numpy(views[batch : batch + recipe.batch])
                truth = torch.from_numpy(labels[batch : batch + recipe.batch])
                loss, logits = loss_of(
                    network,
                    shown,
                    truth,
                    precision,
                    recipe.label_smoothing,
                    recipe.question_weight,
                )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                right = (logits.argmax(1).cpu() == truth).float().mean()
                waiting.append((loss.item(), right.item()))
                step += 1
                bar.update()
                if step % every == 0 or step == steps:
                    loss_mean, accuracy = torch.tensor(waiting).mean(0).tolist()
                    waiting = []
                    bar.set_postfix(loss=f"{loss_mean:.2f}", accuracy=f"{accuracy:.1%}")
                    rows.append(
                        {
                            "step": step,
                            "size_px": views.shape[-1],
                            "learning_rate": float(f"{recipe.rate(step - 1, steps):.3g}"),
                            "loss": round(loss_mean, 4),
                            "accuracy": round(accuracy, 4),
                        }
                    )
    return rows


def _origin(start: Path) -> dict[str, Any]:
    """Take from the card of an earlier course what it takes to do that again."""
    card = read_card(start)
    told = ("command", "commit", "seed", "steps", "minutes", "images_seen", "started_from")
    return {"sha256": file_sha256(start)} | {key: card[key] for key in told if key in card}


def _groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Keep biases and norms, which are vectors, free of weight decay."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def calibrate(network: nn.Module, seed: int, lessons: int) -> None:
    """Take the batch norms' statistics anew, at the size that the network is used at.

    It learned from smaller views; the same things are larger and smoother now, and statistics of
    the small ones would be off for them.
    """
    layers = batch_norms(network).values()
    device = next(network.parameters()).device
    momenta = [layer.momentum for layer in layers]
    network.eval()
    if not lessons:
        return
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative average
        layer.train()
    with torch.no_grad():
        for number in range(lessons):
            views, _ = lesson(seed, number, _CALIBRATION_PX, scale_min=0.7)
            for batch in torch.from_numpy(views).split(_CALIBRATION_BATCH):
                network(as_input(batch.to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
