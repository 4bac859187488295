"""The parameters of one run, checked and frozen: `RunConfig`, its name and its keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from gellib.config.errors import ConfigError, explain_problem
from gellib.config.param import STAGES, Facts, Stage, read_facts
from gellib.config.parameters import Parameters
from gellib.config.rules import check_agreement

_LARGEST = 2**53  # larger integers are not exact as floats, and out of every limit
# What the reference gel system (docs/capabilities.md) varied, in the order in which it names a run.
NAMED = ("hardware_type", "pretrained_model", "classifier_head", "opt_alg")


class RunConfig(Parameters):
    """Every parameter of one training run; the `parameters` cell of `2_train.ipynb` mirrors it."""

    @field_validator("fold")
    @classmethod
    def _fold_is_one_of_them(cls, value: int, info: ValidationInfo) -> int:
        folds = info.data.get("folds")
        if folds is not None and value >= folds:
            raise ValueError(f"the folds are 0 to {folds - 1}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _int_is_a_number(cls, values: Any) -> Any:
        # `-p learning_rate 1` reaches us as an int; strict mode would refuse it.
        numbers = {n for n, field in cls.model_fields.items() if field.annotation is float}
        return {
            name: float(value)
            if name in numbers and type(value) is int and abs(value) < _LARGEST
            else value
            for name, value in values.items()
        }

    @model_validator(mode="after")
    def _parameters_agree(self) -> RunConfig:
        check_agreement(self)
        return self

    @property
    def image_folders(self) -> tuple[str, str, str]:
        """The folders of its images: `dataset_dir`, `test_dir` and `extra_train_dir`."""
        return self.dataset_dir, self.test_dir, self.extra_train_dir

    @property
    def has_random_views(self) -> bool:
        """Whether the head is trained on random views of the images."""
        return self.opt_alg != "lbfgs" and self.augmentation.strip() not in ("", "none")

    @property
    def frozen_views(self) -> int:
        """How many random views of a training image the frozen network has to see."""
        return min(self.views or self.head_epochs, self.head_epochs)

    def view_in(self, epoch: int) -> int:
        """Return which random view (from 1) of an image is used in an epoch (from 1)."""
        return (epoch - 1) % self.views + 1 if self.views else epoch

    @property
    def evaluation_method(self) -> Literal["cv", "holdout"]:
        """How the run is evaluated: what `evaluation` says, or what `auto` stands for.

        `auto` is `cv` where nothing of the network is trained and images are split by class; a
        network would have to be trained once per fold.
        """
        if self.evaluation != "auto":
            return self.evaluation
        return "cv" if self.frozen_network and self.split == "stratified" else "holdout"

    @property
    def frozen_network(self) -> bool:
        """Whether the head alone is trained, in all epochs."""
        return self.head_epochs == self.num_epochs

    @classmethod
    def check(cls, params: dict[str, Any]) -> RunConfig:
        """Build a config from plain values, or explain_problem everything that is wrong with them.

        Raises
        ------
        ConfigError
            For unknown names (with the nearest known name) and wrong values (with what is allowed);
            all problems in one message.
        """
        try:
            return cls(**params)
        except ValidationError as err:
            lines = [explain_problem(problem, cls.model_fields) for problem in err.errors()]
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
        parts = (getattr(self, name) for name in NAMED)
        return "-".join((f"{self.model_id:02d}", *parts))

    def key(self, upto: Stage = "head") -> str:
        """Twelve hex digits that are equal when a run is the same up to, and with, a stage."""
        return config_key(self.model_dump(), upto)

    def hash(self) -> str:
        """Twelve hex digits that are equal when, and only when, the same thing is computed."""
        return self.key()


FACTS: dict[str, Facts] = {n: read_facts(n, field) for n, field in RunConfig.model_fields.items()}
OUTPUT_FIELDS = tuple(name for name, facts in FACTS.items() if facts.stage == "output")
# Repeats of a configuration differ in these alone.
REPEAT_PARAMETERS = tuple(name for name, facts in FACTS.items() if facts.repeat)


def config_key(values: Mapping[str, Any], upto: Stage = "head") -> str:
    """Compute `RunConfig.key` of plain values, such as those of a record.

    Parameters
    ----------
    values
        Parameters by name. Where an older version did not know one yet, it is left out.
    upto
        The last stage whose parameters count; those that only say where files go never do.
    """
    stages = STAGES[: STAGES.index(upto) + 1]
    computed = {
        name: values[name]
        for name, facts in FACTS.items()
        if facts.stage in stages and name in values
    }
    return hashlib.sha256(json.dumps(computed, sort_keys=True).encode()).hexdigest()[:12]
