"""`pretrain`: train a backbone on simulated classes; write its weights and their card."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.labsim.pretraining.batches import (
    BATCH_VIEWS,
    VIEWS_PER_IMAGE,
    pretraining_batch,
    pretraining_batches,
)
from gellib.labsim.pretraining.recipe import (
    FURTHER,
    RECIPES,
    PretrainError,
    Recipe,
    as_input,
    build_network,
    check_pretrainable,
    compute_loss,
    estimate_steps,
    kept_form,
)
from gellib.labsim.pretraining.resume import load_start
from gellib.labsim.pretraining.validation import PER_CLASS, validate
from gellib.labsim.pretraining.weights_files import read_card, write_card, write_weights
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones import file_sha256, isolated_rng, resolve_precision
from gellib.models.backbones.network_parts import batch_norms
from gellib.training_run.environment import git_commit

_CALIBRATION_PX = 224  # size at which the networks are used
_CALIBRATION_BATCHES = 2
_CALIBRATION_VIEWS = 64
_MAX_HISTORY_ROWS = 40


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
    """Train a network only on simulated images and write `<out>/<backbone>.safetensors`.

    A card of the same name, `.json`, says how it was made and how well it does on held-out
    simulated images. The same seed and number of steps give the same weights on the same machine
    with the same number of threads.

    Parameters
    ----------
    backbone
        resnet18, mobilenet-v3 or vgg16.
    minutes
        Time to train for; converted to a number of steps by the speed measured on this machine.
    steps
        Number of optimiser steps instead; if neither is given, that of the recipe.
    start
        A file of `gellib pretrain` to continue from, with the recipe for a second run. Use another
        seed: the same one draws the same images again.
    seed
        Seed of weights and images.
    out
        Folder of the file and its card.
    workers
        Processes that draw images; 0: the training process does.
    per_class
        Held-out images per class with which the card's scores are measured.
    progress
        Whether to show a progress bar.
    command
        Command that is recorded in the card; empty: the equivalent `gellib pretrain`.

    Returns
    -------
    The file of weights.

    Raises
    ------
    PretrainError
        For a backbone without a recipe, for both minutes and steps, or if either is not above 0.
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
                else estimate_steps(minutes, name, device, precision, recipe)
            )
    views_seen = steps * recipe.batch
    # A new random state: measuring the speed used random numbers.
    with isolated_rng(seed, "pretrain", name, device=device):
        network = build_network(name, len(CLASSES)).to(device)
        if start:
            views, _ = pretraining_batch(seed, 0, recipe.sizes(steps)[0])
            load_start(network, start, name, torch.from_numpy(views[:_CALIBRATION_VIEWS]))
        history = _fit(network, recipe, steps, seed, workers, precision, progress)
        calibrate(network, seed, batches=_CALIBRATION_BATCHES if views_seen > BATCH_VIEWS else 0)
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
    """Train in place; return rows of step, size_px, learning_rate, mean loss and mean accuracy.

    Loss and accuracy are those of the augmented training views, before the step on them.
    """
    network.train()
    optimiser = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.learning_rate)
    rows, waiting = [], []
    every = max(1, steps // _MAX_HISTORY_ROWS)
    step = 0
    sizes = recipe.sizes(steps)
    bar = tqdm(total=steps, unit="step", desc="pretraining", disable=not progress)
    with bar:
        for views, labels in pretraining_batches(seed, sizes, workers):
            for batch in range(0, len(views), recipe.batch):
                if step == steps:
                    break
                for group in optimiser.param_groups:
                    group["lr"] = recipe.rate(step, steps)
                shown = torch.from_numpy(views[batch : batch + recipe.batch])
                truth = torch.from_numpy(labels[batch : batch + recipe.batch])
                loss, logits = compute_loss(
                    network,
                    shown,
                    truth,
                    precision,
                    recipe.label_smoothing,
                    recipe.gel_weight,
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
    """Return from the card of an earlier run what is needed to repeat it."""
    card = read_card(start)
    kept = ("command", "commit", "seed", "steps", "minutes", "images_seen", "started_from")
    return {"sha256": file_sha256(start)} | {key: card[key] for key in kept if key in card}


def _groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Exclude biases and norms, which are vectors, from weight decay."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def calibrate(network: nn.Module, seed: int, batches: int) -> None:
    """Estimate the statistics of the batch norms again, at the size at which the network is used.

    It was trained on smaller views. The same objects are larger and smoother at full size, so that
    the statistics of small views would be wrong.
    """
    layers = batch_norms(network).values()
    device = next(network.parameters()).device
    momenta = [layer.momentum for layer in layers]
    network.eval()
    if not batches:
        return
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative average
        layer.train()
    with torch.no_grad():
        for number in range(batches):
            views, _ = pretraining_batch(seed, number, _CALIBRATION_PX, scale_min=0.7)
            for batch in torch.from_numpy(views).split(_CALIBRATION_VIEWS):
                network(as_input(batch.to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
