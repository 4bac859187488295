"""Every parameter of one run, with its type, default, limits and facts: `Parameters`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from gellib.config.param import param

# A longer text is no path, name or list of steps, but a mistake.
MOST_CHARACTERS = 4096


class Parameters(BaseModel):
    """The fields of `RunConfig`; the parameters cell of `2_train.ipynb` has them in groups."""

    # Validators are built when they are first used: this class's never, that of `RunConfig` once.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        protected_namespaces=(),
        defer_build=True,
        allow_inf_nan=False,
        str_max_length=MOST_CHARACTERS,
    )

    dataset_dir: str = param(
        "dataset/gel", description="folder of the images", stage="data", label="images"
    )
    model_id: int = param(
        1, ge=1, description="number of the model in its sweep", stage="head", factor=False
    )
    hardware_type: Literal["cpu", "gpu"] = param(
        "cpu", description="cpu, or gpu: CUDA or MPS", stage="features", label="hardware"
    )
    pretrained_model: str = param(
        "resnet18",
        description="resnet18, any torchvision classifier, timm/<name>, or a+b",
        stage="features",
        label="architecture",
    )
    classifier_head: Literal["single", "multi", "dense", "residual", "attention"] = param(
        "single",
        description="single (one layer), multi, dense, residual, or attention",
        stage="head",
    )
    opt_alg: Literal["adam", "adamw", "sgd", "lbfgs"] = param(
        "adam",
        description="optimiser: adam, adamw, sgd; lbfgs: the optimum of a single head",
        stage="head",
        label="optimiser",
    )
    learning_rate: float = param(
        0.001, gt=0, le=10, description="step size of the optimiser", stage="head", short="lr"
    )
    batch_size: int = param(
        23, ge=1, description="images per step of the optimiser", stage="head", short="batch"
    )
    num_epochs: int = param(
        20,
        ge=1,
        le=100_000,
        description="passes over the training images",
        stage="features",
        label="epochs",
    )
    model_path: str = param(
        "", description="file for the trained model; empty: in the run folder", stage="output"
    )
    plots_path: str = param(
        "", description="folder for the figures; empty: in the run folder", stage="output"
    )
    results_file: str = param(
        "", description="csv to add the result to; empty: in the run folder", stage="output"
    )
    run_dir: str = param(
        "", description="folder of this run; empty: runs/single/<name>", stage="output"
    )
    test_dir: str = param(
        "", description="separate folder of test images; empty: none", stage="data"
    )
    extra_train_dir: str = param(
        "",
        description="folder of further images to train on, never tested; empty: none",
        stage="data",
        label="further training set",
    )
    evaluation: Literal["auto", "cv", "holdout"] = param(
        "auto",
        description="auto (cv where only the head is trained), cv, or holdout",
        stage="split",
        factor=False,
    )
    cv_folds: int = param(
        5,
        ge=2,
        le=100,
        description="evaluation cv: number of folds",
        stage="split",
        label="folds of the cross-validation",
        factor=False,
    )
    cv_repeats: int = param(
        5,
        ge=1,
        le=100,
        description="evaluation cv: how often the folds are drawn anew",
        stage="split",
        label="repeats of the cross-validation",
        factor=False,
    )
    split: Literal["stratified", "random", "mask", "kfold"] = param(
        "stratified",
        description="how images are split where the folder does not say",
        stage="split",
    )
    folds: int = param(5, ge=2, description="split kfold: number of folds", stage="split")
    fold: int = param(
        0, ge=0, description="split kfold: the fold that tests, from 0", stage="split", repeat=True
    )
    group_duplicates: bool = param(
        True, description="keep duplicates of an image in the same split", stage="split"
    )
    group_families: bool = param(
        True,
        description="keep near-duplicate clusters (a subject's slices) in the same split",
        stage="split",
    )
    val_fraction: float = param(
        0.2,
        gt=0,
        lt=1,
        description="share of the training images kept for validation",
        stage="split",
    )
    test_fraction: float = param(
        0.2,
        gt=0,
        lt=1,
        description="share of all images kept for testing, if no test split is given",
        stage="split",
    )
    seed: int = param(
        0,
        ge=0,
        le=2**63 - 1,
        description="seed of split, initialisation, order, augmentation",
        stage="split",
        repeat=True,
    )
    dropout: float = param(
        0.0,
        ge=0,
        lt=1,
        description="dropout of the classifier head; 0: that of its kind",
        stage="head",
    )
    lbfgs_c: float = param(
        0.01, gt=0, description="inverse strength of the regularisation, for lbfgs", stage="head"
    )
    momentum: float = param(0.9, ge=0, lt=1, description="momentum of sgd", stage="head")
    nesterov: bool = param(False, description="Nesterov's momentum, for sgd", stage="head")
    weight_decay: float = param(
        0.0,
        ge=0,
        le=10,
        description="pull of weights towards zero; decoupled in adamw",
        stage="head",
    )
    schedule: str = param(
        "none",
        description="learning rate: none, step(10), cosine, one_cycle, or plateau(0.1)",
        stage="head",
    )
    label_smoothing: float = param(
        0.0,
        ge=0,
        lt=1,
        description="share of each target that is spread over the classes",
        stage="head",
    )
    imbalance: Literal["none", "sampler", "class_weights", "focal"] = param(
        "none", description="for rare classes: none, sampler, class_weights, or focal", stage="head"
    )
    clip_value: float = param(
        0.0, ge=0, description="largest gradient of one weight; 0: any", stage="head"
    )
    clip_norm: float = param(
        0.0, ge=0, description="largest norm of the gradients; 0: any", stage="head"
    )
    monitor: str = param(
        "val_loss", description="column of the history that says which epoch is best", stage="head"
    )
    patience: int = param(
        0,
        ge=0,
        description="epochs without a better one before training stops; 0: never",
        stage="head",
    )
    trainable: str = param(
        "head",
        description="trained layers: head, last:<blocks>, from:<block or layer>, or all",
        stage="features",
    )
    unfreeze_epoch: int = param(
        0,
        ge=0,
        description="epochs with only the head trained before the other trained layers",
        stage="features",
    )
    unfreeze_learning_rate: float = param(
        0.0,
        ge=0,
        le=10,
        description="learning rate after unfreeze_epoch; 0: learning_rate",
        stage="head",
    )
    layer_decay: float = param(
        1.0,
        gt=0,
        le=1,
        description="learning rate of a block relative to that of the next one",
        stage="head",
    )
    weights: str = param(
        "auto", description="auto, pretrained, imagenet, labsim, none, or a file", stage="features"
    )
    input_adapter: Literal["replicate", "sum", "reinit"] = param(
        "replicate",
        description="grey to the first convolution: replicate, sum, or reinit",
        stage="features",
    )
    color: Literal["grey", "rgb"] = param(
        "grey", description="read images as grey or as rgb", stage="features", label="colour"
    )
    contrast: Literal["none", "stretch"] = param(
        "none",
        description="before the network: none, or stretch (1st to 99th percentile)",
        stage="features",
    )
    image_size: int = param(
        224,
        ge=32,
        le=2048,
        description="input side of the network, pixels",
        stage="features",
        short="px",
    )
    augmentation: str = param(
        "random_resized_crop horizontal_flip rotation(10)",
        description="random steps, or none",
        stage="features",
    )
    views: int = param(
        0,
        ge=0,
        le=100_000,
        description="random views per training image, in turn; 0: a new one every epoch",
        stage="features",
        label="views per image",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param(
        "auto",
        description="arithmetic: auto, fp32, bf16 or fp16",
        stage="features",
        column="arithmetic",
    )
    max_images: int = param(
        0,
        ge=0,
        description="about how many images are used, some of each class; 0: all",
        stage="data",
    )
    explain: bool = param(
        True, description="draw what the network looked at in some test images", stage="head"
    )
    skip_bad_images: bool = param(
        False, description="go on without images that cannot be read", stage="data"
    )
    max_image_mb: float = param(
        200.0, gt=0, description="larger image files are refused, MB", stage="data"
    )
    max_image_mpx: float = param(
        100.0, gt=0, description="larger images are refused, megapixels", stage="data"
    )
    cache_dir: str = param(
        "", description="folder of cached features; empty: runs/.cache", stage="output"
    )
