"""What does not compile does not import torch's compiler; what does gets the real one."""

import subprocess
import sys

import pytest

from gellib.base.paths import PROJECT_ROOT

WITHOUT = """
import sys
import torch
from gellib.models.backbones import build_backbone
backbone = build_backbone({name!r}, weights="none", image_size=64)
backbone.calibrated = True
backbone.extract(torch.zeros(2, 1, 64, 64, dtype=torch.uint8))
assert "torch._dynamo" not in sys.modules, "the compiler was imported"
"""
REAL = """
import torch._dynamo
assert torch._dynamo.__file__ and torch._dynamo.utils.__file__
from torchvision import ops, tv_tensors
boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
assert ops.roi_align(torch.rand(1, 1, 8, 8), boxes, 2).shape == (1, 1, 2, 2)
image = tv_tensors.wrap(torch.rand(3, 8, 8), like=tv_tensors.Image(torch.rand(3, 4, 4)))
assert isinstance(image, tv_tensors.Image)
double = torch.compile(lambda x: 2 * x, backend="eager")
assert torch.equal(double(torch.ones(2)), torch.full((2,), 2.0))
torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).zero_grad()
"""


def run(code):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "efficientnet-lite0", "timm/lcnet_050"])
def test_features_need_no_compiler_and_who_compiles_gets_it(name):
    run(WITHOUT.format(name=name) + REAL)


@pytest.mark.slow
def test_a_compiler_that_is_imported_already_stays():
    kept = "import torch._dynamo as first\n"
    imported = "import sys\nimport gellib.models.backbones\n"
    run(
        kept + imported + 'assert sys.modules["torch._dynamo"] is first\n' + "import torch\n" + REAL
    )


@pytest.mark.slow
def test_what_a_library_asks_of_it_beyond_that_comes_from_the_real_one():
    run(
        "import sys\nimport torch\n"
        "from gellib.base.without_compiler import without_compiler\n"
        "with without_compiler():\n"
        "    import torch._dynamo.utils as utils, torch._dynamo as compiler\n"
        "    assert not hasattr(compiler, '__file__')\n"
        "    assert callable(compiler.is_compiling) and callable(utils.counters.clear)\n"
        "    assert sys.modules['torch._dynamo'] is not compiler\n"
        f"import gellib.models.backbones\n{REAL}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("opt_alg", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("fused", [False, True])
def test_optimisers_need_no_compiler_and_do_the_same_with_it(opt_alg, fused):
    run(
        "import sys\nimport torch\n"
        "from gellib.config import RunConfig\n"
        "from gellib.models.training import optimise\n"
        f"config = RunConfig(opt_alg={opt_alg!r}, weight_decay=0.1)\n"
        "def trained():\n"
        "    weight = torch.nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3))\n"
        "    group = {'params': [weight], 'lr': 0.1}\n"
        f"    optimizer = optimise.make_optimizer(config, [group], fused={fused})\n"
        "    for _ in range(3):\n"
        "        optimise.clear_gradients(optimizer)\n"
        "        (weight @ torch.ones(3)).square().sum().backward()\n"
        "        optimise.take_step(optimizer)\n"
        "    return weight\n"
        "without = trained()\n"
        "assert 'torch._dynamo' not in sys.modules, 'the compiler was imported'\n"
        "import torch._dynamo\n"
        "assert torch.equal(without, trained())\n" + REAL
    )
