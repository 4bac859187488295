"""Pretraining on simulated images, its files and the shipped ones, and asking them untrained."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from gellib.labsim.pretraining import (
    PretrainError,
    batches,
    load_class_model,
    pretrain,
    read_card,
    recipe,
    training_loop,
    validation,
)
from gellib.labsim.pretraining.resume import load_start
from gellib.labsim.simulate import CLASSES, simulate
from gellib.labsim.zeroshot import ZeroShot
from gellib.models.backbones import (
    BackboneError,
    WeightsError,
    build_backbone,
    file_sha256,
    labsim_weights,
    resolve_weights,
)
from gellib.models.backbones.labsim_weights import (
    PRETRAINABLE,
    make_classifier,
    pretrained_facts,
    shipped_weights,
)
from gellib.models.heads import build_head
from gellib.models.training import load_model, save_model

NAMES = ["resnet18", "mobilenet-v3", "vgg16"]
TINY = {"steps": 2, "workers": 0, "progress": False, "per_class": 1}


@pytest.fixture
def quick(monkeypatch):
    """Small views, small batches and few images to validate with."""
    for module in (batches, recipe, training_loop):
        monkeypatch.setattr(module, "BATCH_VIEWS", 64)
    tiny = {name: recipe.Recipe(2, ((32, 1.0),), 1e-3, batch=8) for name in PRETRAINABLE}
    tiny["vgg16"] = recipe.Recipe(2, ((32, 1.0),), 1e-3, batch=8, trained_as="vgg16_bn")
    for module in (recipe, training_loop):
        monkeypatch.setattr(module, "RECIPES", tiny)
        monkeypatch.setattr(module, "FURTHER", tiny)


@pytest.fixture
def tiny_file(quick, tmp_path):
    return pretrain("resnet18", out=tmp_path, seed=3, **TINY)


class TestLessons:
    @pytest.mark.slow
    def test_the_same_number_is_the_same_batch(self):
        views, labels = batches.pretraining_batch(0, 5, 32)
        again, same = batches.pretraining_batch(0, 5, 32)
        assert views.shape == (512, 32, 32) and views.dtype == np.uint8
        assert np.array_equal(views, again) and np.array_equal(labels, same)
        assert not np.array_equal(views, batches.pretraining_batch(0, 6, 32)[0])
        assert not np.array_equal(views, batches.pretraining_batch(1, 5, 32)[0])

    def test_gels_are_two_fifths_and_every_class_comes(self):
        rng = np.random.default_rng(0)
        labels = batches._draw_classes(rng, 20_000)
        gel = np.array(list(CLASSES.values()))
        assert gel[labels].mean() == pytest.approx(batches.GEL_SHARE, abs=0.02)
        assert set(labels) == set(range(len(CLASSES)))

    def test_both_views_of_an_image_carry_its_class(self):
        # Without crop, tone and mirror, a view is the image made smaller.
        class Still:
            def uniform(self, low, high):
                return high if (low, high) == (1, 1) else 0.0

            def random(self):
                return 0.9

        image = simulate("code_2d", 0, 0, 44)
        view = batches.random_view(image, Still(), 44, 1)
        assert np.array_equal(view, image)

    @pytest.mark.slow
    def test_worker_processes_draw_the_same(self):
        alone = list(batches.pretraining_batches(0, [32, 32], 0))
        helped = list(batches.pretraining_batches(0, [32, 32], 1))
        for (views, labels), (others, theirs) in zip(alone, helped, strict=True):
            assert np.array_equal(views, others) and np.array_equal(labels, theirs)


class TestRecipe:
    def test_sizes_fill_all_batches_and_never_shrink(self):
        for one in (*recipe.RECIPES.values(), *recipe.FURTHER.values()):
            for steps in (1, 7, 100, one.steps):
                sizes = one.sizes(steps)
                assert len(sizes) == -(-steps * one.batch // batches.BATCH_VIEWS)
                assert sizes == sorted(sizes)

    def test_rate_warms_up_and_ends_near_nothing(self):
        one = recipe.RECIPES["resnet18"]
        rates = [one.rate(step, 100) for step in range(100)]
        assert max(rates) == one.learning_rate == rates[4]
        assert rates[0] == pytest.approx(one.learning_rate / 5)
        assert rates[-1] < 0.001 * one.learning_rate
        assert rates[5:] == sorted(rates[5:], reverse=True)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.slow
    def test_what_is_kept_answers_as_what_was_trained(self, name):
        name = recipe.check_pretrainable(name)
        torch.manual_seed(0)
        network = recipe.build_network(name, 5)
        views = torch.randint(0, 256, (4, 64, 64), dtype=torch.uint8)
        network.train()(recipe.as_input(views))  # statistics that are not those of no data
        kept = recipe.kept_form(network, name, 5)
        assert not any("bn" in key for key in kept.state_dict() if name == "vgg16")
        assert set(kept.state_dict()) == set(make_classifier(name, 5).state_dict())
        with torch.inference_mode():
            wanted = network.eval()(recipe.as_input(views))
            assert torch.allclose(kept(recipe.as_input(views)), wanted, atol=1e-3, rtol=1e-3)

    def test_the_question_counts_gel_classes_together(self):
        class Fixed(nn.Module):
            def __init__(self, logits):
                super().__init__()
                self.logits = nn.Parameter(logits)

            def forward(self, _):
                return self.logits

        gel = torch.tensor(list(CLASSES.values()))
        logits = torch.where(gel, 1.0, -1.0)[None]  # sure of gel, not of which
        label = torch.tensor([list(CLASSES).index("gel_dim")])
        views = torch.zeros(1, 8, 8, dtype=torch.uint8)
        alone, _ = recipe.compute_loss(Fixed(logits), views, label, "fp32")
        both, _ = recipe.compute_loss(Fixed(logits), views, label, "fp32", gel_weight=2.0)
        share = torch.softmax(logits, 1)[0, gel].sum()
        assert (both - alone).item() == pytest.approx(-2 * share.log().item(), abs=1e-5)

    def test_wrong_names_and_numbers_are_refused(self, tmp_path):
        with pytest.raises(PretrainError, match="got 'resnet8': did you mean 'resnet18'"):
            pretrain("resnet8", out=tmp_path)
        with pytest.raises(PretrainError, match="steps: got 0, expected more than 0"):
            pretrain("resnet18", steps=0, out=tmp_path)
        with pytest.raises(PretrainError, match="both minutes and steps"):
            pretrain("resnet18", steps=1, minutes=1, out=tmp_path)

    @pytest.mark.slow
    def test_minutes_become_steps(self, quick):
        cpu = torch.device("cpu")
        assert recipe.estimate_steps(0.1, "resnet18", cpu, "fp32", recipe.RECIPES["resnet18"]) > 1

    def test_fresh_statistics_are_those_of_what_it_is_shown(self, monkeypatch):
        views = np.full((8, 16, 16), 200, np.uint8)
        monkeypatch.setattr(training_loop, "pretraining_batch", lambda *_, **__: (views, None))
        network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten())
        training_loop.calibrate(network, 0, batches=2)
        expected = recipe.as_input(torch.from_numpy(views)).mean((0, 2, 3))
        assert torch.allclose(network[0].running_mean, expected, atol=1e-3)
        assert network[0].momentum == 0.1 and not network[0].training


class TestFiles:
    @pytest.mark.slow
    def test_same_seed_and_steps_give_the_same_weights(self, quick, tiny_file, tmp_path):
        torch.rand(7)  # what was drawn before is of no matter
        again = pretrain("resnet18", out=tmp_path / "again", seed=3, **TINY)
        other = pretrain("resnet18", out=tmp_path / "other", seed=4, **TINY)
        assert file_sha256(again) == file_sha256(tiny_file) != file_sha256(other)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.slow
    def test_a_run_continues_where_another_one_ended(self, name, quick):
        file = shipped_weights(name)
        network = recipe.build_network(recipe.check_pretrainable(name), len(CLASSES))
        views = torch.randint(0, 256, (16, 32, 32), dtype=torch.uint8)
        load_start(network, file, recipe.check_pretrainable(name), views)
        backbone, head, _ = load_class_model(file)
        with torch.inference_mode():
            # vgg16's norms are new, and change nothing of what they were set by.
            found = (network.train() if name == "vgg16" else network.eval())(recipe.as_input(views))
            expected = head(backbone.network(recipe.as_input(views)).flatten(1))
        assert torch.allclose(found, expected, atol=2e-3, rtol=1e-3)

    @pytest.mark.slow
    def test_the_card_names_what_it_started_from(self, quick, tiny_file, tmp_path):
        file = pretrain("resnet18", out=tmp_path / "on", seed=4, start=tiny_file, **TINY)
        origin = read_card(file)["started_from"]
        assert origin["sha256"] == file_sha256(tiny_file)
        assert origin["command"] == read_card(tiny_file)["command"]
        assert read_card(file)["command"].endswith("--seed 4 --start resnet18.safetensors")
        assert file_sha256(file) != file_sha256(tiny_file)
        with pytest.raises(PretrainError, match="one of resnet18; expected one of vgg16"):
            pretrain("vgg16", out=tmp_path, start=tiny_file, **TINY)

    @pytest.mark.slow
    def test_the_card_says_how_it_was_made(self, tiny_file):
        card = read_card(tiny_file)
        assert card["command"] == "gellib pretrain --backbone resnet18 --steps 2 --seed 3"
        assert card["steps"] == 2 and card["seed"] == 3 and card["images_seen"] == 16
        assert card["sha256"] == file_sha256(tiny_file)
        assert card["bytes"] == tiny_file.stat().st_size
        assert card["classes"] == CLASSES
        assert [row["step"] for row in card["history"]] == [1, 2]
        for contrast in ("none", "stretch"):
            figures = card["validation"][contrast]
            assert all(0 <= value <= 1 for value in figures.values())
        assert "commit" in card and card["minutes"] > 0 and card["threads"] >= 1

    @pytest.mark.slow
    def test_only_the_file_and_its_card_are_left(self, tiny_file):
        names = sorted(path.name for path in tiny_file.parent.iterdir())
        assert names == ["resnet18.json", "resnet18.safetensors"]

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.slow
    def test_it_loads_as_a_backbone_and_as_a_whole(self, name, quick, tmp_path):
        file = pretrain(name, out=tmp_path, **TINY)
        backbone, head, classes = load_class_model(file)
        dims = {"resnet18": 512, "mobilenet-v3": 1280, "vgg16": 512}
        assert backbone.dim == dims[name] and classes == CLASSES
        built = build_backbone(name, weights=str(file))
        views = torch.randint(0, 256, (2, 1, 224, 224), dtype=torch.uint8)
        features = backbone.extract(views)
        assert torch.equal(built.extract(views), features)
        with torch.inference_mode():
            assert head(features).shape == (2, len(CLASSES))

    def test_other_files_have_no_class_head(self, tmp_path):
        (tmp_path / "a.safetensors").write_bytes(b"nothing")
        assert pretrained_facts(tmp_path / "a.safetensors") is None
        with pytest.raises(PretrainError, match="no weights with a class head"):
            load_class_model(tmp_path / "a.safetensors")
        with pytest.raises(PretrainError, match="has no card"):
            read_card(tmp_path / "a.safetensors")


def test_figures_of_perfect_and_of_useless_answers():
    classes = {"gel_a": True, "gel_b": True, "text": False}
    truth = np.array([0, 0, 1, 2])
    perfect = validation.HeldOutPredictions(truth, np.eye(3)[truth], classes)
    assert set(perfect.figures().values()) == {1.0}
    assert perfect.confusion().tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 1]]
    # Half its mind on each gel class: wrong about the class, right about the gel.
    split = np.array([[0.3, 0.4, 0.3]] * 4)
    figures = validation.HeldOutPredictions(truth, split, classes).figures()
    assert figures["class_accuracy"] == 0.25
    assert (figures["gels_right"], figures["others_right"]) == (1.0, 0.0)
    assert figures["gel_accuracy"] == 0.5


def wilson(share, n, z):
    """Interval of the true share where `share` of n were right."""
    middle, reach = (
        share + z * z / (2 * n),
        z * (share * (1 - share) / n + (z / (2 * n)) ** 2) ** 0.5,
    )
    return (middle - reach) / (1 + z * z / n), (middle + reach) / (1 + z * z / n)


class TestShipped:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_file_is_the_one_of_the_card(self, name):
        file = shipped_weights(name)
        card = read_card(file)
        assert card["sha256"] == file_sha256(file)
        assert card["classes"] == pretrained_facts(file)["classes"]
        assert card["backbone"] == pretrained_facts(file)["backbone"]
        # The classes may grow; those that were learned keep their names.
        assert set(card["classes"]) <= set(CLASSES)

    def test_they_stay_small(self):
        files = [shipped_weights(name) for name in NAMES]
        assert sum(file.stat().st_size for file in files) < 64e6

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.slow
    def test_they_know_simulated_images(self, name):
        card = read_card(shipped_weights(name))["validation"]["none"]
        held_out = validation.predict_held_out(shipped_weights(name), per_class=2)
        figures = held_out.figures()
        # Two images of each class say less than the card's two dozen: chance alone puts the
        # card's figure outside once in a thousand times.
        for figure in ("class_accuracy", "gel_accuracy"):
            low, high = wilson(figures[figure], len(held_out.truth), z=3.3)
            assert low <= card[figure] <= high, figure
        assert card["gel_accuracy"] > 0.85

    @pytest.mark.slow
    def test_auto_takes_them_where_imagenet_cannot_be_had(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        info = resolve_weights("vgg16", "auto")
        assert info == resolve_weights("vgg16", "labsim")
        assert (info.name, info.warning) == ("labsim", "")
        assert info.source == (
            "simulated images alone (gellib/labsim/weights/vgg16.safetensors); features are the "
            "averages of its last convolutions"
        )
        assert build_backbone("vgg16", weights="auto").dim == 512
        assert resolve_weights("resnet50", "auto").name == "none"
        with pytest.raises(BackboneError, match="'resnet50'; it includes"):
            resolve_weights("resnet50", "labsim")

    @pytest.mark.slow
    def test_a_model_trained_on_them_is_put_together_again(self, tmp_path):
        backbone = build_backbone("mobilenet-v3", weights="labsim")
        head = build_head("single", backbone.dim, 2, seed=0)
        save_model(tmp_path / "model.safetensors", head, backbone, {"classes": ["a", "b"]})
        again, _, _ = load_model(tmp_path / "model.safetensors")
        assert again.identity() == backbone.identity()
        assert again.weights == backbone.weights

    def test_a_damaged_file_is_not_used(self, tmp_path, monkeypatch):
        for file in (
            shipped_weights("mobilenet-v3"),
            shipped_weights("mobilenet-v3").with_suffix(".json"),
        ):
            shutil.copy(file, tmp_path)
        with open(tmp_path / "mobilenet-v3.safetensors", "ab") as file:
            file.write(b"?")
        monkeypatch.setattr(labsim_weights, "WEIGHTS_DIR", tmp_path)
        with pytest.raises(WeightsError, match="is damaged .* install gellib again"):
            resolve_weights("mobilenet-v3", "labsim")

    def test_a_network_without_is_refused_with_those_that_there_are(self):
        with pytest.raises(BackboneError, match="'resnet50'; it includes those of: mobilenet-v3"):
            shipped_weights("resnet50")


@pytest.mark.slow
class TestZeroShot:
    def test_it_tells_gels_and_names_the_nearest_class(self, tmp_path):
        from PIL import Image

        paths = []
        for name in ("gel_stretched", "gel_annotated", "text", "bar_code"):
            paths.append(tmp_path / f"{name}.png")
            Image.fromarray(simulate(name, 77, 0, 300)).save(paths[-1])
        (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        judged = ZeroShot().predict([*paths, tmp_path / "broken.png", paths[0].read_bytes()])
        assert [p.label for p in judged[:4]] == ["gel", "gel", "not_gel", "not_gel"]
        first = json.loads(json.dumps(judged[0].to_dict()))
        assert list(first) == ["file", "label", "probabilities", "run", "nearest"]
        assert first["run"] == "labsim resnet18 (no training)"
        assert sum(first["probabilities"].values()) == pytest.approx(1)
        assert CLASSES[first["nearest"]]
        assert list(judged[4].to_dict()) == ["file", "error"]
        assert judged[5].file == "image 6" and judged[5].label == "gel"

    @pytest.mark.slow
    def test_it_takes_weights_of_ones_own(self, tiny_file):
        answer = ZeroShot(weights=tiny_file).predict([tiny_file])[0]
        assert answer.error
