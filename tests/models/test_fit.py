"""The fit loop and its parts, on a few numbers instead of images."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support
from torch import nn

from gellib.config import RunConfig
from gellib.models.training.epoch_scores import score_epoch
from gellib.models.training.fit import Fit, Phase
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.monitor import EarlyStopping, check_monitor
from gellib.models.training.objective import (
    BinaryCrossEntropy,
    CrossEntropy,
    Objective,
    class_weights,
    positive_weights,
)
from gellib.models.training.optimise import Schedule, check_schedule, make_optimizer
from gellib.models.training.sampling import cut_batches, draw_order, sampling_weights

CLASSES = ("a", "b", "c")
CPU = torch.device("cpu")


class TestDraws:
    def test_every_image_once(self):
        order = draw_order(50, 0, 1, None)
        assert sorted(order) == list(range(50))
        assert not np.array_equal(order, draw_order(50, 0, 2, None))
        assert np.array_equal(order, draw_order(50, 0, 1, None))

    def test_the_sampler_draws_all_classes_alike(self):
        targets = np.repeat([0, 1, 2], [600, 380, 20])
        weights = sampling_weights(targets, 3)
        drawn = np.concatenate([targets[draw_order(1000, 0, e, weights)] for e in range(30)])
        shares = np.bincount(drawn) / len(drawn)
        np.testing.assert_allclose(shares, 1 / 3, atol=0.01)  # about 3.7 standard errors
        once = draw_order(1000, 0, 1, weights)
        assert len(set(once)) < 1000  # with replacement
        assert np.array_equal(once, draw_order(1000, 0, 1, weights))
        assert not np.array_equal(once, draw_order(1000, 1, 1, weights))

    def test_images_of_a_rare_label_are_drawn_more_often(self):
        targets = np.zeros((100, 3), np.float32)
        targets[:, 0] = 1
        targets[:5, 2] = 1
        targets[-1] = 0  # an image without any label
        drawn = draw_order(20_000, 0, 1, sampling_weights(targets, 3).repeat(200))
        counts = np.bincount(drawn // 200, minlength=100)
        assert counts[:5].mean() / counts[5:-1].mean() == pytest.approx(99 / 5, rel=0.1)
        assert counts[-1] > 0

    def test_batches_hold_everything_in_order(self):
        order = np.arange(7)
        assert [list(b) for b in cut_batches(order, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
        assert [list(b) for b in cut_batches(order, 3, pairs=True)] == [[0, 1, 2], [3, 4, 5, 6]]
        assert [list(b) for b in cut_batches(order, 10, pairs=True)] == [list(range(7))]


class TestObjective:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.1, 0.2, 0.3], [0.0, 3.0, 0.0]])
    targets = torch.tensor([0, 2, 0])

    def objective(self, targets=None, **changes):
        targets = np.array([0] * 8 + [1] * 4 + [2] * 4) if targets is None else targets
        return Objective.of(RunConfig(**changes), targets, 3, CPU)

    def test_class_weights_are_inverse_frequencies_with_mean_one(self):
        weights = class_weights(np.repeat([0, 1, 2], [8, 4, 4]), 3)
        np.testing.assert_allclose(weights, [0.6, 1.2, 1.2])
        loss = self.objective(imbalance="class_weights").loss(self.logits, self.targets)
        expected = nn.functional.cross_entropy(
            self.logits, self.targets, weight=torch.tensor([0.6, 1.2, 1.2])
        )
        torch.testing.assert_close(loss, expected)

    def test_focal_loss_cares_less_for_what_is_sure(self):
        loss = self.objective(imbalance="focal").loss(self.logits, self.targets)
        p = self.logits.softmax(1)[torch.arange(3), self.targets]
        torch.testing.assert_close(loss, (-((1 - p) ** 2) * p.log()).mean())

    def test_smoothing_is_minimised_and_not_reported(self):
        objective = self.objective(label_smoothing=0.1)
        p = self.logits.log_softmax(1)
        soft = torch.full((3, 3), 0.1 / 3)
        soft[torch.arange(3), self.targets] += 0.9
        torch.testing.assert_close(
            objective.loss(self.logits, self.targets), -(soft * p).sum(1).mean()
        )
        plain = nn.functional.cross_entropy(self.logits, self.targets).item()
        assert objective.plain_loss(self.logits, self.targets) == pytest.approx(plain)

    def test_several_labels(self):
        hot = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 1, 1]])
        many = np.array([[1, 1, 0]] * 6 + [[0, 1, 0]] * 2, dtype=np.float32)
        np.testing.assert_allclose(positive_weights(many, 3), [2 / 6, 1 / 8, 7])
        weighted = self.objective(many, imbalance="class_weights").loss(self.logits, hot)
        p, y = self.logits.sigmoid(), hot
        by_hand = -(torch.tensor([1 / 3, 1 / 8, 7]) * y * p.log() + (1 - y) * (1 - p).log())
        torch.testing.assert_close(weighted, by_hand.mean())
        focal = self.objective(many, imbalance="focal").loss(self.logits, hot)
        by_hand = -((1 - p) ** 2 * y * p.log() + p**2 * (1 - y) * (1 - p).log())
        torch.testing.assert_close(focal, by_hand.mean())
        smooth = self.objective(many, label_smoothing=0.2).loss(self.logits, hot)
        soft = y * 0.8 + 0.1
        by_hand = -(soft * p.log() + (1 - soft) * (1 - p).log())
        torch.testing.assert_close(smooth, by_hand.mean())


class TestScores:
    def test_of_one_label(self):
        rng = np.random.default_rng(0)
        logits = torch.from_numpy(rng.normal(size=(40, 3)))
        targets = torch.from_numpy(rng.integers(0, 2, 40))  # no image of the third class
        scores = score_epoch(CrossEntropy(), logits, targets)
        expected = precision_recall_fscore_support(
            targets, logits.argmax(1), labels=[0, 1, 2], zero_division=0
        )
        for ours, theirs in zip(scores[3:], expected, strict=False):
            np.testing.assert_allclose(ours, theirs)
        assert scores.f1 == pytest.approx(expected[2].mean())
        assert scores.accuracy == (logits.argmax(1) == targets).double().mean()

    def test_of_several_labels(self):
        rng = np.random.default_rng(0)
        logits = torch.from_numpy(rng.normal(size=(40, 3)))
        targets = torch.from_numpy(rng.integers(0, 2, (40, 3))).double()
        scores = score_epoch(BinaryCrossEntropy(), logits, targets)
        assert scores.accuracy == ((logits > 0) == (targets > 0)).double().mean()
        expected = precision_recall_fscore_support(targets, logits > 0)
        np.testing.assert_allclose(scores.class_f1, expected[2])

    def test_without_images_there_are_none(self):
        scores = score_epoch(CrossEntropy(), torch.empty(0, 3), torch.empty(0, dtype=torch.long))
        assert np.isnan(scores.loss)
        assert np.isnan(scores.class_f1).all()


class TestMonitor:
    def test_the_name_says_the_direction(self):
        assert check_monitor("val_loss") == ("val_loss", "min")
        assert check_monitor("train_f1") == ("train_f1", "max")
        assert check_monitor("max: val_loss") == ("val_loss", "max")
        with pytest.raises(ValueError, match="got 'val_los': did you mean 'val_loss'"):
            check_monitor("val_los")
        with pytest.raises(ValueError, match="got direction 'least' in"):
            check_monitor("least:val_loss")

    def test_stops_after_so_many_worse_epochs(self):
        stopping = EarlyStopping("val_accuracy", 2)
        values = [0.5, 0.7, 0.7, float("nan"), 0.9]
        seen = []
        for epoch, value in enumerate(values, start=1):
            stopping.update(epoch, {"val_accuracy": value})
            seen.append((stopping.best_epoch, stopping.should_stop))
        assert seen == [(1, False), (2, False), (2, False), (2, True), (5, False)]
        assert not EarlyStopping("val_loss", 0).should_stop


def torch_rates(make, epochs, steps, *, per_step):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler, rates = make(optimizer), []
    for _ in range(epochs):
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if per_step:
                scheduler.step()
        if not per_step:
            scheduler.step()
    return rates


class TestSchedule:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("text", "make"),
        [
            ("step(2, 0.3)", lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.3)),
            ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5)),
            (
                "one_cycle",
                lambda o: torch.optim.lr_scheduler.OneCycleLR(
                    o, 0.4, total_steps=21, cycle_momentum=False
                ),
            ),
        ],
    )
    def test_rates_are_those_of_torch(self, text, make):
        schedule = Schedule(text, epochs=5, steps_per_epoch=4)
        ours = [0.4 * schedule.factor(e, s) for e in range(5) for s in range(4)]
        if text == "one_cycle":
            schedule = Schedule(text, epochs=7, steps_per_epoch=3)
            ours = [0.4 * schedule.factor(e, s) for e in range(7) for s in range(3)][:20]
        theirs = torch_rates(make, 5, 4, per_step=text == "one_cycle")
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)

    def test_one_cycle_of_few_steps(self):
        for steps in (1, 2, 3):
            schedule = Schedule("one_cycle", epochs=1, steps_per_epoch=steps)
            factors = [schedule.factor(0, step) for step in range(steps)]
            assert all(0 < factor <= 1 for factor in factors)

    def test_plateau_waits_and_falls(self):
        schedule = Schedule("plateau(0.5, patience=1)", epochs=9, steps_per_epoch=1)
        factors = []
        for cost in [1.0, 0.9, 0.9, 0.95, 0.8, 0.9, 0.9, 0.9]:
            factors.append(schedule.factor(len(factors), 0))
            schedule.step(cost)
        assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]

    def test_wrong_ones_are_explained(self):
        assert check_schedule("none") == ("none", {})
        with pytest.raises(ValueError, match="got schedule 'one_cycl': did you mean 'one_cycle'"):
            check_schedule("one_cycl")
        with pytest.raises(ValueError, match="expected one schedule"):
            check_schedule("cosine step(3)")
        with pytest.raises(ValueError, match="with every from 1 to"):
            check_schedule("step(0)")


def problem(n=60, *, multilabel=False):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, n)
    x = np.eye(3)[targets] * 2 + rng.normal(size=(n, 3))
    if multilabel:
        targets = (x > 0.5).astype(np.float32)
    return x.astype(np.float32), targets


def run_fit(network=None, *, multilabel=False, phases=None, **changes):
    x, targets = problem(multilabel=multilabel)
    config = RunConfig(**({"num_epochs": 6, "batch_size": 16, "learning_rate": 0.05} | changes))
    torch.manual_seed(0)
    network = network or nn.Linear(3, 3)
    inputs = CachedInputs(x[None, :40], x[40:])
    group = {"params": list(network.parameters()), "lr": config.learning_rate}
    optimizer = make_optimizer(config, [group])
    fit = Fit(config, targets[:40], targets[40:], CLASSES, CPU)
    spans = phases or [range(1, config.num_epochs + 1)]
    log = fit.run([Phase(span, network, inputs, optimizer) for span in spans], network)
    return log, network, optimizer


@pytest.mark.parametrize("algorithm", ["adam", "adamw", "sgd"])
def test_fused_steps_are_the_same_steps(algorithm):
    settings = {"opt_alg": algorithm, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    config = RunConfig(**settings if algorithm == "sgd" else settings | {"nesterov": False})
    weights = []
    for fused in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(5, 4)
        group = {"params": list(layer.parameters()), "lr": 0.1}
        optimizer = make_optimizer(config, [group], fused=fused)
        assert bool(optimizer.param_groups[0]["fused"]) is fused
        for _ in range(5):
            optimizer.zero_grad()
            layer(torch.ones(3, 5)).square().sum().backward()
            optimizer.step()
        weights.append(layer.weight.detach())
    torch.testing.assert_close(*weights)


@pytest.mark.slow
class TestFit:
    def test_early_stopping_keeps_the_best_epoch(self):
        log, network, _ = run_fit(
            num_epochs=60, learning_rate=1.0, patience=3, monitor="val_loss", batch_size=8
        )
        history = log.history()
        best = int(history["val_loss"].idxmin()) + 1
        assert log.best_epoch == best < len(history) == best + 3 < 60
        x, targets = problem()
        loss = nn.functional.cross_entropy(
            network(torch.from_numpy(x[40:])), torch.from_numpy(targets[40:])
        )
        assert loss.item() == pytest.approx(history["val_loss"].min(), rel=1e-5)

    def test_without_patience_the_last_epoch_is_kept(self):
        log, _, _ = run_fit(num_epochs=12, learning_rate=1.0)
        assert log.best_epoch == len(log.history()) == 12

    def test_waiting_starts_anew_with_the_last_phase(self):
        # The opposite of what is wanted: no epoch is ever better than the first.
        stopped = {"num_epochs": 12, "patience": 2, "monitor": "min:val_accuracy"}
        log, _, _ = run_fit(phases=[range(1, 6), range(6, 13)], **stopped)
        assert len(log.history()) == 7
        assert len(run_fit(**stopped)[0].history()) == 3

    def test_patience_needs_validation_images(self):
        _, targets = problem()
        for monitor in ("val_loss", "max:val_f1"):
            config = RunConfig(patience=2, monitor=monitor)
            with pytest.raises(ValueError, match="patience: got 2 .* there are no validation"):
                Fit(config, targets, targets[:0], CLASSES, CPU)
        Fit(RunConfig(patience=2, monitor="train_loss"), targets, targets[:0], CLASSES, CPU)

    def test_rates_are_kept_by_step(self):
        log, _, _ = run_fit(schedule="one_cycle", learning_rate=0.05)
        rates, history = log.learning_rates(), log.history()
        assert list(rates["step"]) == list(range(1, 19))
        assert rates["learning_rate"].max() == pytest.approx(0.05, rel=0.05)
        last = rates.groupby("epoch")["learning_rate"].last()
        np.testing.assert_allclose(history["learning_rate"], last)

    def test_each_class_has_its_row_each_epoch(self):
        log, _, _ = run_fit()
        table = log.class_history()
        assert len(table) == 6 * 2 * 3
        macro = table.groupby(["epoch", "split"])["f1"].mean().unstack()
        np.testing.assert_allclose(log.history()["val_f1"], macro["val"])
        np.testing.assert_allclose(log.history()["train_f1"], macro["train"])

    def test_several_labels_are_learnt(self):
        log, _, _ = run_fit(multilabel=True, num_epochs=30)
        history = log.history()
        assert history["val_accuracy"].iloc[-1] > 0.85 > history["val_accuracy"].iloc[0]
        assert history["val_f1"].iloc[-1] > 0.8

    def test_nesterov_momentum_and_decay_reach_the_optimiser(self):
        _, _, sgd = run_fit(opt_alg="sgd", momentum=0.7, nesterov=True, weight_decay=0.1)
        group = sgd.param_groups[0]
        assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.7, True, 0.1)
        _, _, adamw = run_fit(opt_alg="adamw", weight_decay=0.2)
        assert isinstance(adamw, torch.optim.AdamW)
        assert adamw.param_groups[0]["weight_decay"] == 0.2

    @pytest.mark.parametrize(("name", "limit"), [("clip_value", 1e-3), ("clip_norm", 1e-3)])
    def test_clipping_bounds_the_steps(self, name, limit):
        plain = {"opt_alg": "sgd", "momentum": 0.0, "learning_rate": 1.0, "num_epochs": 1}
        plain |= {"batch_size": 40}
        torch.manual_seed(0)
        start = nn.Linear(3, 3).weight.detach().clone()
        _, free, _ = run_fit(**plain)
        _, bound, _ = run_fit(**plain, **{name: limit})
        moved = (bound.weight - start).detach()
        assert (free.weight - start).abs().max() > 10 * limit
        if name == "clip_value":
            torch.testing.assert_close(moved.abs().max(), torch.tensor(limit), rtol=1e-3, atol=0)
        else:
            assert moved.norm() <= limit * 1.001

    def test_a_last_image_alone_does_not_stop_a_batch_norm(self):
        network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))
        log, _, _ = run_fit(network, batch_size=13)  # 40 = 3 * 13 + 1
        assert len(log.learning_rates()) == 6 * 3
        assert len(run_fit(batch_size=13)[0].learning_rates()) == 6 * 4
