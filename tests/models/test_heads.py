import pytest
import torch
from torch import nn

from gellib.models.heads import build_head


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


def test_dense_is_the_alzheimer_baseline():
    head = build_head("dense", 100, 4, seed=0)
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert head[2].p == 0.5
    assert head(torch.zeros(3, 100)).shape == (3, 4)


class TestResidual:
    def test_each_layer_has_a_norm_and_less_dropout_than_the_one_before(self):
        head = build_head("residual", 100, 4, seed=0)
        layers = list(head)[:-1]
        assert [layer.norm.num_features for layer in layers] == [512, 512, 256, 128]
        dropouts = [layer.dropout.p for layer in layers]
        assert dropouts == sorted(dropouts, reverse=True) == [0.5, 0.4, 0.3, 0.2]
        assert head(torch.randn(3, 100)).shape == (3, 4)
        half = build_head("residual", 100, 4, dropout=0.25, seed=0)
        assert [layer.dropout.p for layer in list(half)[:-1]] == [0.25, 0.2, 0.15, 0.1]

    def test_what_comes_in_is_added(self):
        layer = list(build_head("residual", 512, 4, seed=0).eval())[0]
        assert isinstance(layer.skip, nn.Identity)
        nn.init.zeros_(layer.linear.weight)
        x = torch.randn(5, 512)
        torch.testing.assert_close(layer(x), x.relu())
        wide = list(build_head("residual", 100, 4, seed=0).eval())[0]
        nn.init.zeros_(wide.linear.weight)
        y = torch.randn(5, 100)
        torch.testing.assert_close(wide(y), wide.skip(y).relu())

    def test_the_first_weights_are_xaviers(self):
        head = build_head("residual", 100, 4, seed=0)
        for linear in (layer for layer in head.modules() if isinstance(layer, nn.Linear)):
            bound = (6 / (linear.in_features + linear.out_features)) ** 0.5
            assert 0.98 * bound < linear.weight.abs().max() <= bound
            assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
            assert linear.bias is None or not linear.bias.any()


class TestAttention:
    def test_three_dense_blocks_follow(self):
        head = build_head("attention", 100, 4, seed=0)
        assert [type(layer).__name__ for layer in head] == [
            "ChannelAttention",
            *["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 3,
            "Linear",
        ]
        assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.4] * 3
        assert head(torch.randn(3, 100)).shape == (3, 4)

    def test_features_are_weighed_by_what_all_of_them_say(self):
        attention = build_head("attention", 100, 4, seed=0)[0]
        x = torch.rand(5, 100) + 0.5
        weights = attention(x) / x
        assert ((weights > 0) & (weights < 1)).all()
        other = x.clone()
        other[:, 0] += 5
        assert not torch.allclose((attention(other) / other)[:, 1:], weights[:, 1:])
        for parameter in attention.parameters():
            nn.init.zeros_(parameter)
        torch.testing.assert_close(attention(x), x / 2)


@pytest.mark.parametrize("kind", ["single", "multi", "dense", "residual", "attention"])
@pytest.mark.slow
def test_every_weight_learns_and_a_head_is_built_again_from_its_facts(kind):
    head = build_head(kind, 24, 3, task="multilabel", dropout=0.1, seed=0)
    before = {name: value.clone() for name, value in head.named_parameters()}
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        x = torch.randn(16, 24, generator=generator)
        optimizer.zero_grad()
        head(x).square().sum().backward()
        optimizer.step()
    assert all(not torch.equal(value, before[name]) for name, value in head.named_parameters())
    again = build_head(seed=1, **head.facts())
    again.load_state_dict(head.state_dict())
    x = torch.randn(2, 24, generator=generator)
    assert torch.equal(again.eval()(x), head.eval()(x))
    dropouts = [layer.p for layer in head.modules() if isinstance(layer, nn.Dropout)]
    assert max(dropouts) == 0.1


def test_what_logits_mean():
    logits = torch.tensor([[0.0, 3.0, -3.0]])
    one = build_head("single", 4, 3, seed=0).probabilities(logits)
    many = build_head("single", 4, 3, task="multilabel", seed=0).probabilities(logits)
    torch.testing.assert_close(one, logits.softmax(1))
    torch.testing.assert_close(many, logits.sigmoid())


def test_the_seed_decides_and_global_randomness_is_untouched():
    before = torch.random.get_rng_state()
    a, b, c = (build_head("multi", 8, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(a[0].weight, b[0].weight)
    assert not torch.equal(a[0].weight, c[0].weight)


def test_wrong_kinds_are_named():
    with pytest.raises(ValueError, match="classifier_head: got 'double', expected one of single"):
        build_head("double", 8, 2, seed=0)
    with pytest.raises(ValueError, match="task: got 'multi', expected 'single_label' or"):
        build_head("single", 8, 2, task="multi", seed=0)
    with pytest.raises(ValueError, match="at least two classes, got 1"):
        build_head("single", 8, 1, seed=0)
