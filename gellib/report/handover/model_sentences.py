"""Which network a run used and how it was trained, in past tense; numbers are from its record."""

from __future__ import annotations

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and, shorten
from gellib.config import RunConfig
from gellib.config.expressions import check_augmentation, check_monitor, check_schedule
from gellib.report.conclusions.wording import count
from gellib.report.handover.references import cite, from_timm, from_torchvision, network_keys
from gellib.report.handover.reported import Reported

_LONGEST_NAME = 60
_HEADS = {
    "single": "one linear layer",
    "multi": "three linear layers with ReLU and dropout",
    "dense": "two linear layers with ReLU and dropout",
    "residual": "residual layers with batch normalisation and dropout",
    "attention": "a squeeze and excitation of the features and linear layers with batch "
    "normalisation, ReLU and dropout",
}
_OPTIMISERS = {
    "adam": ("Adam", ("kingma2015",)),
    "adamw": ("AdamW", ("loshchilov2019",)),
    "sgd": ("stochastic gradient descent", ()),
}
_SCHEDULES = {
    "step": "a learning rate that fell in steps",
    "cosine": "a cosine schedule of the learning rate",
    "one_cycle": "a one-cycle schedule of the learning rate",
    "plateau": "a learning rate that fell when the monitored score stopped improving",
}
_STEPS = {
    "random_resized_crop": "random resized crops",
    "random_crop": "random crops",
    "horizontal_flip": "horizontal flips",
    "vertical_flip": "vertical flips",
    "rotation": "rotations by up to {degrees:g} degrees",
    "color_jitter": "changes of brightness, contrast and colour",
    "random_erasing": "erased rectangles",
}
_IMBALANCE = {
    "sampler": "Classes were drawn equally often.",
    "class_weights": "Classes were weighted by their inverse frequency.",
}
_IMBALANCE_OF_LABELS = {
    "sampler": "Images were drawn the more often the rarer their rarest label is.",
    "class_weights": "Images with a label counted the more in its loss the rarer it is.",
}


def network_name(found: Reported) -> str:
    """Name the network, as it is asked for."""
    return in_markdown(shorten(str(found.config["pretrained_model"]), _LONGEST_NAME))


def weights_words(found: Reported) -> str:
    """Say in words what the network was pretrained on."""
    words = []
    for name in dict.fromkeys(found.record.weights.name.split("+")):
        if name == "imagenet":
            words.append(f"pretrained on ImageNet{cite('deng2009')}")
        elif name == "labsim":
            words.append("pretrained on simulated images alone")
        elif name in ("", "none"):
            words.append("drawn at random")
        else:
            words.append(f"of {in_code(shorten(name, _LONGEST_NAME))}")
    return join_and(words)


def network_sentence(found: Reported) -> str:
    """Name network, weights and classifier, and say which layers were trained."""
    config, run = found.config, RunConfig.model_construct(**found.config)
    keys, _ = network_keys(str(config["pretrained_model"]))
    network = f"the network {network_name(found)}{cite(*keys)}"
    outputs = "softmax outputs" if found.exclusive else "one sigmoid output per label"
    head = f"{_HEADS.get(config['classifier_head'], in_code(config['classifier_head']))}"
    if run.frozen_network:
        text = (
            f"Features were computed by {network}, frozen, with weights {weights_words(found)}, "
            f"and classified by {head} with {outputs}"
        )
    else:
        how = "trained" if found.record.weights.name == "none" else "fine-tuned"
        text = (
            f"Of {network}, with weights {weights_words(found)}, {_trained_layers(found)} and a "
            f"new classifier ({head}, {outputs}) were {how}"
        )
    own = found.record.parameters
    if own.total is not None and own.trained is not None:
        verb = " were trained" if run.frozen_network else ""
        text += f" ({own.trained:,} of {own.total:,} parameters{verb})"
    return f"{text}."


def _trained_layers(found: Reported) -> str:
    config = found.config
    where, _, rest = str(config["trainable"]).partition(":")
    rest = rest.strip()
    if where == "last":
        text = f"the last {count(int(rest), 'block')}" if rest != "1" else "the last block"
    elif where == "from":
        text = f"the layers from {in_code(rest)} on"
    elif where == "all":
        text = "all layers"
    else:
        text = "the first convolution"
    if epochs := config["unfreeze_epoch"]:
        text += f" (after {count(epochs, 'epoch')} of the classifier alone)"
    return text


def training_sentence(found: Reported) -> str:
    """Name loss, optimiser and its numbers, and which epoch was kept."""
    config = found.config
    weighted = _weighted(found, "")
    if config["opt_alg"] == "lbfgs":
        each = "" if found.exclusive else " (one per label)"
        text = (
            f"The classifier was the optimum of a logistic regression{each} with L2 regularisation "
            f"(C = {config['lbfgs_c']:g}) on standardised features, found by "
            f"L-BFGS{cite('liu1989')}."
        )
        return " ".join(filter(None, (text, weighted)))
    name, keys = _OPTIMISERS.get(config["opt_alg"], (in_code(config["opt_alg"]), ()))
    loss = "cross entropy" if found.exclusive else "binary cross entropy"
    if config["imbalance"] == "focal":
        loss = f"focal loss{cite('lin2017')}"
    numbers = [
        f"a learning rate of {config['learning_rate']:g}",
        f"batches of {count(config['batch_size'], 'image')}",
        *([f"momentum {config['momentum']:g}"] if config["opt_alg"] == "sgd" else []),
        *([f"weight decay {config['weight_decay']:g}"] if config["weight_decay"] else []),
        *([f"label smoothing {config['label_smoothing']:g}"] if config["label_smoothing"] else []),
        *([f"gradients clipped at {config['clip_value']:g}"] if config["clip_value"] else []),
        *([f"their norm clipped at {config['clip_norm']:g}"] if config["clip_norm"] else []),
    ]
    if rate := config["unfreeze_learning_rate"]:
        numbers.append(f"a rate of {rate:g} once the other layers were trained")
    if config["layer_decay"] != 1:
        numbers.append(
            f"learning rates times {config['layer_decay']:g} per block towards the input"
        )
    if schedule := _SCHEDULES.get(_schedule(str(config["schedule"]))):
        numbers.append(schedule)
    text = (
        f"Training minimised the {loss} by {name}{cite(*keys)}, with {join_and(numbers)}, for "
        f"{_epochs(found)}."
    )
    return " ".join(filter(None, (text, weighted)))


def imbalance_words(found: Reported) -> str:
    """Say whether rare classes were given more weight."""
    if found.config["imbalance"] == "focal":
        return f"The focal loss{cite('lin2017')} gave more weight to images that are hard."
    return _weighted(found, f"No {'class' if found.exclusive else 'label'} was given more weight.")


def _weighted(found: Reported, else_: str) -> str:
    words = _IMBALANCE if found.exclusive else _IMBALANCE_OF_LABELS
    return words.get(found.config["imbalance"], else_)


def _epochs(found: Reported) -> str:
    """Say for how many epochs, and which was kept: the best one only where training may stop."""
    config, most = found.config, count(found.config["num_epochs"], "epoch")
    if not config["patience"]:
        return f"{most}, of which the last was kept"
    monitored = _monitored(str(config["monitor"]))
    text = (
        f"at most {most}, until {count(config['patience'], 'epoch')} had no better {monitored}; "
        "the best was kept"
    )
    if found.crossed and found.record.best_epoch is not None:
        text += (
            " (folds kept part of their training images for validation; the final model had the "
            f"median of their epochs, {found.record.best_epoch})"
        )
    return text


def _monitored(text: str) -> str:
    try:
        part, _, metric = check_monitor(text)[0].partition("_")
    except ValueError:  # of another version
        return "value"
    return f"{'validation' if part == 'val' else 'training'} {metric.replace('f1', 'F1')}"


def _schedule(text: str) -> str:
    try:
        return check_schedule(text)[0]
    except ValueError:
        return ""


def augmentation_sentence(found: Reported) -> str:
    """Say how training images were varied; empty where they were not."""
    run = RunConfig.model_construct(**found.config)
    if not run.has_random_views:
        return ""
    try:
        calls = check_augmentation(run.augmentation)
    except ValueError:
        steps = in_code(run.augmentation)
    else:
        steps = join_and(_STEPS.get(name, in_code(name)).format(**own) for name, own in calls)
    if run.views:
        how = f"in {count(run.views, 'random view')} per image, used in turn"
    else:
        how = "anew in every epoch"
    return f"Training images were augmented by {steps}, {how}."


def software_sentence(found: Reported) -> str:
    """Name software and machine."""
    machine = found.record.environment
    network, known = str(found.config["pretrained_model"]), machine.model_dump()
    commit = f" (commit {in_markdown(machine.git_commit)})" if machine.git_commit else ""
    libraries = [("torchvision", "torchvision", "torchvision2016")] * from_torchvision(network)
    libraries += [("timm", "timm", "wightman2019")] * from_timm(network)
    parts = [f"gellib {in_markdown(machine.gellib)}{commit}" if machine.gellib else ""]
    for title, key, reference in (
        ("Python", "python", ""),
        ("PyTorch", "torch", "paszke2019"),
        *libraries,
        ("scikit-learn", "scikit_learn", "pedregosa2011"),
    ):
        version = f" {in_markdown(known[key])}" if known.get(key) else ""
        if version or reference:
            parts.append(f"{title}{version}{cite(*filter(None, (reference,)))}")
    where = f", run on {in_markdown(machine.device)}" if machine.device else ""
    return f"The software was {join_and(filter(None, parts))}{where}."
