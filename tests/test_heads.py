import pytest
import torch
from torch import nn

from gellib.heads import build_head


def test_single_is_one_linear_layer():
    head = build_head("single", 512, 2, seed=0)
    assert [type(layer) for layer in head] == [nn.Linear]
    assert head(torch.zeros(3, 512)).shape == (3, 2)


def test_multi_is_the_reference_head():
    head = build_head("multi", 1280, 4, seed=0)
    shapes = [(x.in_features, x.out_features) for x in head if isinstance(x, nn.Linear)]
    assert shapes == [(1280, 512), (512, 256), (256, 4)]
    assert [x.p for x in head if isinstance(x, nn.Dropout)] == [0.25, 0.5]
    assert (head.kind, head.in_features, head.n_classes) == ("multi", 1280, 4)


def test_the_seed_decides_and_global_randomness_is_untouched():
    before = torch.random.get_rng_state()
    a, b, c = (build_head("multi", 8, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(a[0].weight, b[0].weight)
    assert not torch.equal(a[0].weight, c[0].weight)


def test_wrong_kinds_are_named():
    with pytest.raises(ValueError, match="classifier_head: got 'double', expected one of single"):
        build_head("double", 8, 2, seed=0)
    with pytest.raises(ValueError, match="at least two classes, got 1"):
        build_head("single", 8, 1, seed=0)
