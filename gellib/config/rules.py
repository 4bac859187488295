"""Which parameters go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gellib.config.run_config import RunConfig


def check_agreement(config: RunConfig) -> None:
    """Check what depends on several parameters.

    Raises
    ------
    ValueError
        Naming the first parameter that does not go with another.
    """
    if config.nesterov and not (config.opt_alg == "sgd" and config.momentum > 0):
        raise ValueError(
            f"nesterov: got True with opt_alg {config.opt_alg!r} and momentum {config.momentum:g}, "
            "but it is a variant of sgd with momentum; set both, or nesterov to False"
        )
    if config.opt_alg == "lbfgs":
        _check_lbfgs(config)
    if config.evaluation == "cv":
        _check_cv(config)
    if config.classifier_head in ("residual", "attention") and config.batch_size == 1:
        raise ValueError(
            f"batch_size: got 1 with classifier_head {config.classifier_head!r}, whose batch "
            "norms need several images at once; expected 2 or more"
        )
    if config.unfreeze_epoch and config.trainable == "head":
        raise ValueError(
            f"unfreeze_epoch: got {config.unfreeze_epoch} with trainable 'head', so there is "
            "nothing to unfreeze; set trainable to all, last:<blocks> or from:<layer>"
        )
    if config.unfreeze_epoch >= config.num_epochs:
        raise ValueError(
            f"unfreeze_epoch: got {config.unfreeze_epoch} of num_epochs {config.num_epochs}, so no "
            "epoch is left for the other layers; expected less"
        )
    if config.unfreeze_learning_rate and not config.unfreeze_epoch:
        raise ValueError(
            f"unfreeze_learning_rate: got {config.unfreeze_learning_rate:g} with unfreeze_epoch "
            "0; set that too, or learning_rate instead"
        )


def _check_cv(config: RunConfig) -> None:
    if config.split != "stratified":
        raise ValueError(
            f"evaluation: got 'cv' with split {config.split!r}, but the folds are drawn by class; "
            "set split to stratified, or evaluation to holdout"
        )
    if not config.frozen_network:
        name = "trainable" if config.trainable != "head" else "input_adapter"
        raise ValueError(
            f"evaluation: got 'cv' with {name} {getattr(config, name)!r}, which would train the "
            "network once per fold; set evaluation to holdout, or train the head alone"
        )


def _check_lbfgs(config: RunConfig) -> None:
    wanted: dict[str, tuple] = {
        "classifier_head": ("single",),
        "trainable": ("head",),
        "input_adapter": ("replicate", "sum"),
        "imbalance": ("none", "class_weights"),
        "label_smoothing": (0.0,),
    }
    for name, allowed in wanted.items():
        got = getattr(config, name)
        if got not in allowed:
            expected = " or ".join(repr(value) for value in allowed)
            raise ValueError(
                f"{name}: got {got!r} with opt_alg 'lbfgs', which finds the optimum of one "
                f"linear layer; expected {expected}, or another opt_alg"
            )
