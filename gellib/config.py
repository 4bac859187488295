"""Every parameter of one run, typed, checked and frozen: `RunConfig`."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gellib.base.text import did_you_mean

# Where results and intermediate files go changes nothing about what is computed,
# so two runs that differ only in these are the same run.
OUTPUT_FIELDS = ("run_dir", "model_path", "plots_path", "results_file", "cache_dir")


class ConfigError(ValueError):
    """One or more parameters are wrong; the message names each of them."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter shows this instead of a traceback, which would say nothing about a parameter.
        return [f"ConfigError: {line}" for line in str(self).splitlines()]


class RunConfig(BaseModel):
    """Every parameter of one training run; the `parameters` cell of `2_train.ipynb` mirrors it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    dataset_dir: str = Field("dataset/gel", description="folder of the images")
    model_id: int = Field(1, ge=1, description="number of the model in its sweep")
    hardware_type: Literal["cpu", "gpu"] = Field("cpu", description="cpu, or gpu: CUDA or MPS")
    pretrained_model: str = Field(
        "resnet18", description="resnet18, vgg16, mobilenet-v3 or any torchvision classifier"
    )
    classifier_head: Literal["single", "multi", "dense", "residual", "attention"] = Field(
        "single", description="single (one layer), multi, dense, residual, or attention"
    )
    opt_alg: Literal["adam", "adamw", "sgd", "lbfgs"] = Field(
        "adam", description="optimiser: adam, adamw, sgd; lbfgs: the optimum of a single head"
    )
    learning_rate: float = Field(0.001, gt=0, le=10, description="step size of the optimiser")
    batch_size: int = Field(23, ge=1, description="images per step of the optimiser")
    num_epochs: int = Field(20, ge=1, le=100_000, description="passes over the training images")
    model_path: str = Field("", description="file for the trained model; empty: in the run folder")
    plots_path: str = Field("", description="folder for the figures; empty: in the run folder")
    results_file: str = Field("", description="csv to add the result to; empty: in the run folder")
    run_dir: str = Field("", description="folder of this run; empty: runs/single/<name>")
    test_dir: str = Field("", description="separate folder of test images; empty: none")
    split: Literal["stratified", "random", "mask", "kfold"] = Field(
        "stratified", description="how images are split where the folder does not say"
    )
    folds: int = Field(5, ge=2, description="split kfold: number of folds")
    fold: int = Field(0, ge=0, description="split kfold: the fold that tests, from 0")
    group_duplicates: bool = Field(
        True, description="keep duplicates of a picture in one part of the split"
    )
    val_fraction: float = Field(
        0.2, gt=0, lt=1, description="share of the training images kept for validation"
    )
    test_fraction: float = Field(
        0.2, gt=0, lt=1, description="share of all images kept for testing, if no test part"
    )
    seed: int = Field(0, ge=0, description="seed of split, initialisation, order, augmentation")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of the classifier head; 0: that of its kind"
    )
    lbfgs_c: float = Field(
        0.01, gt=0, description="inverse strength of the regularisation, for lbfgs"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    nesterov: bool = Field(False, description="Nesterov's momentum, for sgd")
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=10,
        description="pull of weights towards zero; decoupled in adamw",
    )
    schedule: str = Field(
        "none", description="learning rate: none, step(10), cosine, one_cycle, or plateau(0.1)"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of each target that is spread over the classes"
    )
    imbalance: Literal["none", "sampler", "class_weights", "focal"] = Field(
        "none", description="for rare classes: none, sampler, class_weights, or focal"
    )
    clip_value: float = Field(0.0, ge=0, description="largest gradient of one weight; 0: any")
    clip_norm: float = Field(0.0, ge=0, description="largest norm of the gradients; 0: any")
    monitor: str = Field(
        "val_loss", description="column of the history that says which epoch is best"
    )
    patience: int = Field(
        0, ge=0, description="epochs without a better one before training stops; 0: never"
    )
    trainable: str = Field(
        "head", description="trained layers: head, last:<blocks>, from:<block or layer>, or all"
    )
    unfreeze_epoch: int = Field(
        0, ge=0, description="epochs with only the head trained before the other trained layers"
    )
    unfreeze_learning_rate: float = Field(
        0.0, ge=0, le=10, description="learning rate after unfreeze_epoch; 0: learning_rate"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="learning rate of a block relative to that of the next one"
    )
    weights: str = Field("auto", description="auto, imagenet, labsim, none, or a file")
    input_adapter: Literal["replicate", "sum", "reinit"] = Field(
        "replicate", description="grey to the first convolution: replicate, sum, or reinit"
    )
    color: Literal["grey", "rgb"] = Field("grey", description="read images as grey or as rgb")
    contrast: Literal["none", "stretch"] = Field(
        "none", description="before the network: none, or stretch (1st to 99th percentile)"
    )
    image_size: int = Field(224, ge=32, le=2048, description="input side of the network, pixels")
    augmentation: str = Field(
        "random_resized_crop horizontal_flip rotation(10)",
        description="random steps, or none",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="arithmetic: auto, fp32, bf16 or fp16"
    )
    max_images: int = Field(
        0, ge=0, description="about how many images are used, some of each class; 0: all"
    )
    explain: bool = Field(True, description="draw what the network looked at in some test images")
    skip_bad_images: bool = Field(False, description="go on without images that cannot be read")
    max_image_mb: float = Field(200.0, gt=0, description="larger image files are refused, MB")
    max_image_mpx: float = Field(100.0, gt=0, description="larger images are refused, megapixels")
    cache_dir: str = Field("", description="folder of cached features; empty: runs/.cache")

    @field_validator("fold")
    @classmethod
    def _fold_is_one_of_them(cls, value: int, info: ValidationInfo) -> int:
        folds = info.data.get("folds")
        if folds is not None and value >= folds:
            raise ValueError(f"the folds are 0 to {folds - 1}")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _int_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # `-p learning_rate 1` reaches us as an int; strict mode would refuse it.
        wanted = cls.model_fields[str(info.field_name)].annotation
        return float(value) if wanted is float and type(value) is int else value

    @model_validator(mode="after")
    def _parameters_agree(self) -> RunConfig:
        if self.nesterov and not (self.opt_alg == "sgd" and self.momentum > 0):
            raise ValueError(
                f"nesterov: got True with opt_alg {self.opt_alg!r} and momentum {self.momentum:g}, "
                "but it is a variant of sgd with momentum; set both, or nesterov to False"
            )
        if self.opt_alg == "lbfgs":
            self._fits_lbfgs()
        if self.classifier_head in ("residual", "attention") and self.batch_size == 1:
            raise ValueError(
                f"batch_size: got 1 with classifier_head {self.classifier_head!r}, whose batch "
                "norms need several images at once; expected 2 or more"
            )
        if self.unfreeze_epoch and self.trainable == "head":
            raise ValueError(
                f"unfreeze_epoch: got {self.unfreeze_epoch} with trainable 'head', so there is "
                "nothing to unfreeze; set trainable to all, last:<blocks> or from:<layer>"
            )
        if self.unfreeze_epoch >= self.num_epochs:
            raise ValueError(
                f"unfreeze_epoch: got {self.unfreeze_epoch} of num_epochs {self.num_epochs}, so no "
                "epoch is left for the other layers; expected less"
            )
        if self.unfreeze_learning_rate and not self.unfreeze_epoch:
            raise ValueError(
                f"unfreeze_learning_rate: got {self.unfreeze_learning_rate:g} with unfreeze_epoch "
                "0; set that too, or learning_rate instead"
            )
        return self

    def _fits_lbfgs(self) -> None:
        wanted: dict[str, tuple] = {
            "classifier_head": ("single",),
            "trainable": ("head",),
            "input_adapter": ("replicate", "sum"),
            "imbalance": ("none", "class_weights"),
            "label_smoothing": (0.0,),
        }
        for name, allowed in wanted.items():
            got = getattr(self, name)
            if got not in allowed:
                expected = " or ".join(repr(value) for value in allowed)
                raise ValueError(
                    f"{name}: got {got!r} with opt_alg 'lbfgs', which finds the optimum of one "
                    f"linear layer; expected {expected}, or another opt_alg"
                )

    @property
    def draws_views(self) -> bool:
        """Whether the head is trained on random views of the images, a new one each epoch."""
        return self.opt_alg != "lbfgs" and self.augmentation.strip() not in ("", "none")

    @classmethod
    def check(cls, params: dict[str, Any]) -> RunConfig:
        """Build a config from plain values, or explain everything that is wrong with them.

        Raises
        ------
        ConfigError
            For unknown names (with the nearest known name) and wrong values (with what is allowed);
            all problems in one message.
        """
        try:
            return cls(**params)
        except ValidationError as err:
            lines = [_explain(problem) for problem in err.errors()]
            raise ConfigError("\n".join(lines)) from None

    @classmethod
    def from_notebook(cls, namespace: dict[str, Any]) -> RunConfig:
        """Build a config from a notebook's globals, right behind its parameters cell.

        papermill puts whatever parameters it is given into the notebook, misspelt ones as well;
        here they are still plain values among the globals, and are found out.

        Raises
        ------
        ConfigError
            As `check`.
        """
        plain = (str, int, float, bool, list, tuple, dict, type(None))
        hidden = {"In", "Out"}
        return cls.check(
            {
                name: value
                for name, value in namespace.items()
                if not name.startswith("_") and name not in hidden and isinstance(value, plain)
            }
        )

    @property
    def head_epochs(self) -> int:
        """In how many epochs, from the first, the network is frozen and only the head trained."""
        if self.input_adapter == "reinit":
            return 0
        return self.num_epochs if self.trainable == "head" else self.unfreeze_epoch

    def name(self) -> str:
        """Name of the run's folder, such as `01-cpu-resnet18-single-adam`."""
        parts = (self.hardware_type, self.pretrained_model, self.classifier_head, self.opt_alg)
        return "-".join((f"{self.model_id:02d}", *parts))

    def hash(self) -> str:
        """Twelve hex digits that are equal when, and only when, the same thing is computed."""
        computed = self.model_dump(exclude=set(OUTPUT_FIELDS))
        text = json.dumps(computed, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _explain(problem: dict[str, Any]) -> str:
    if not problem["loc"]:  # parameters that do not go together
        return f"parameter {problem['ctx']['error']}"
    name = ".".join(str(part) for part in problem["loc"])
    known = list(RunConfig.model_fields)
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, known)
        return f"parameter {name!r} is unknown: {hint}Known parameters: {', '.join(known)}."
    got = problem["input"]
    field = RunConfig.model_fields.get(name)
    about = f" ({field.description})" if field is not None else ""
    allowed = list(getattr(field.annotation, "__args__", ())) if field is not None else []
    hint = did_you_mean(str(got), [str(word) for word in allowed])
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return (
        f"parameter {name!r}{about}: got {got!r}, but {message}{'; ' if hint else ''}{hint.strip()}"
    )
