"""A dry run says what the sweep would refuse, without torch."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from making.folders import make_files, make_stripes_and_dots

from gellib.cli import main
from gellib.sweeps.network_names import find_network_problem, network_names


def dry_run(tmp_path, params, *options):
    (tmp_path / "s.yaml").write_text(f"name: s\nparams: {{{params}}}\n")
    return CliRunner().invoke(main, ["sweep", "--dry-run", str(tmp_path / "s.yaml"), *options])


@pytest.mark.slow
def test_names_from_the_source_are_those_that_can_be_built():
    import timm

    from gellib.models.backbones.sources import list_backbones

    assert network_names("torchvision")[0] == set(list_backbones())
    names, tagged = network_names("timm")
    assert names == set(timm.list_models())
    full = {name for name in timm.list_models(pretrained=True) if "." in name}
    assert len(full & tagged) > 0.95 * len(full), "most are found without importing timm"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("c/1.png", "extra_train_dir: got the class 'c'"),
        ("test/a/1.png", "which has validation or test images"),
        ("notes.txt", "no images"),
    ],
)
def test_further_training_images_of_another_kind_are_refused(tmp_path, file, words):
    make_files(tmp_path, *(f"own/{name}/{i}.png" for name in "ab" for i in range(6)))
    make_files(tmp_path, *(f"many/{name}/{i}.png" for name in "ab" for i in range(30)))
    (tmp_path / "more" / file).parent.mkdir(parents=True)
    make_files(tmp_path, "more/.hidden.png" if file == "notes.txt" else f"more/{file}")
    for own in ("own", "many"):
        params = f"dataset_dir: {tmp_path / own}, extra_train_dir: {tmp_path / 'more'}"
        result = dry_run(tmp_path, params)
        assert result.exit_code == 2 and words in result.stderr
    done = CliRunner().invoke(
        main, ["check", str(tmp_path / "own"), "-p", "extra_train_dir", str(tmp_path / "more")]
    )
    assert done.exit_code == 2 and words in done.output and "Traceback" not in done.output


@pytest.mark.slow
def test_known_layers_are_those_of_the_networks():
    import json

    from models.write_layer_names import layer_names

    from gellib.models.known_layers import LAYER_NAMES

    assert json.loads(LAYER_NAMES.read_text(encoding="utf-8")) == layer_names()


@pytest.mark.parametrize(
    "name",
    ["resnet18", "mobilenet-v3", "timm/resnet18", "timm/resnet18.a1_in1k", "efficientnet-lite0",
     "resnet18+vgg16", "resnet18 + timm/resnet18"],
)  # fmt: skip
def test_networks_that_there_are(name):
    assert find_network_problem(name) == ""


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("dataset_dir: nowhere", "'dataset_dir': no such folder: 'nowhere'"),
        ("dataset_dir: ~nouser", "no such folder: '~nouser'"),
        ("test_dir: nowhere", "'test_dir': no such folder"),
        ("extra_train_dir: nowhere", "'extra_train_dir': no such folder: 'nowhere'"),
        ("pretrained_model: resnet81", "did you mean 'resnet18'?"),
        ("pretrained_model: resnet18+resnet81", "did you mean 'resnet18'?"),
        ("pretrained_model: resnet18+", "names of networks around each '+'"),
        ("pretrained_model: mobilenet-v3+mobilenet_v3_large", "names a network twice"),
        ("pretrained_model: timm/resnt18", "did you mean 'timm/"),
        ("pretrained_model: resnet18.a1_in1k", "is no network of torchvision"),
        ("pretrained_model: squeezenet1_0", "no linear layer"),
        ("weights: labsin", "did you mean 'labsim'?"),
        ("weights: nowhere.safetensors", "or an existing file"),
        ("augmentation: rotatoin(10)", "did you mean 'rotation'?"),
        ("augmentation: 'rotation(999)'", "with degrees from 0 to 180"),
        ("schedule: cosin", "did you mean 'cosine'?"),
        ("schedule: cosine step", "expected one schedule"),
        ("monitor: val_los", "did you mean 'val_loss'?"),
        ("monitor: 'least:val_loss'", "expected 'min:' or 'max:'"),
        ("trainable: heads", "did you mean 'head'?"),
        ("trainable: 'last:0'", "Expected head"),
    ],
)  # fmt: skip
def test_what_would_be_refused_is_said(tmp_path, params, words):
    result = dry_run(tmp_path, params)
    assert result.exit_code == 2
    assert words in result.stderr and "1 run: 1 to do" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: the sweep would be refused: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("trainable: 'last:99'", "the backbone has 9 blocks"),
        ("trainable: 'from:layer9'", "did you mean 'from:layer"),
        ("trainable: 'last:99', pretrained_model: resnext50_32x4d", "the backbone has"),
        ("trainable: all, pretrained_model: resnet18+vgg16", "stay frozen"),
        ("pretrained_model: timm/resnet18.a1_in2k", "timm has no weights 'a1_in2k' for it"),
    ],
)
def test_what_the_packages_themselves_refuse(tmp_path, params, words):
    result = dry_run(tmp_path, params)
    assert result.exit_code == 2 and words in result.stderr


def test_every_problem_is_said_once(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(
        "name: s\nparams: {dataset_dir: nowhere, schedule: cosin}\n"
        "grid: {pretrained_model: [resnet81, resnet18], batch_size: [4, 8]}\n"
    )
    result = CliRunner().invoke(main, ["sweep", "--dry-run", str(file)])
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 3
    # The sweep itself ends with the same words, before anything is started.
    result = CliRunner().invoke(main, ["sweep", str(file)])
    assert result.exit_code == 2 and "did you mean 'resnet18'?" in result.stderr
    assert "nothing was run" in result.stderr and not (tmp_path / "s").exists()


def make_classes(root, **counts):
    for name, count in counts.items():
        make_files(root / name, *(f"{i}.png" for i in range(count)))


@pytest.mark.parametrize(
    ("counts", "more", "words"),
    [
        ({"a": 30, "b": 30}, "evaluation: holdout", ""),
        ({"a": 30, "b": 3}, "evaluation: holdout", ""),
        ({"a": 30, "b": 2}, "evaluation: holdout", "class 'b' would have no images for val"),
        ({"a": 30, "b": 2}, "evaluation: cv", ""),
        ({"a": 30, "b": 1}, "evaluation: cv", "class 'b' has 1 image to draw folds from"),
        ({"a": 30, "b": 4}, "evaluation: holdout, split: kfold, folds: 9", "class 'b' would have"),
        ({"a": 30, "b": 30}, "evaluation: holdout, test_fraction: 0.99", "would have no images"),
        ({"a": 30}, "", "the images cannot be used: "),
    ],
)
def test_classes_of_too_few_images(tmp_path, counts, more, words):
    make_classes(tmp_path / "images", **counts)
    result = dry_run(tmp_path, f"dataset_dir: {tmp_path / 'images'}, {more}".strip(", "))
    assert result.exit_code == (2 if words else 0), result.stderr
    assert words in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folders", "splits"])
def test_a_valid_dry_run_imports_nothing_heavy(tmp_path, kind):
    if kind == "folders":
        make_classes(tmp_path / "images", a=20, b=20)
    else:
        make_stripes_and_dots(tmp_path / "images", train=20, test=1)
    params = f"dataset_dir: {tmp_path / 'images'}, pretrained_model: timm/resnet18.a1_in1k"
    (tmp_path / "s.yaml").write_text(
        f"name: s\nparams: {{{params}}}\nruns:\n"
        "- {name: a}\n- {name: b, pretrained_model: resnet18, trainable: 'from:layer4'}\n"
    )
    code = (
        "import sys; from gellib.cli import main\n"
        "try: main(['sweep', '--dry-run', sys.argv[1]])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'pandas', 'numpy', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s.yaml")], check=True)
