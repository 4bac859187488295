"""The simulated brain MRI, Alzheimer and protein sets: layout, imbalance, what tells them apart."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy.stats import rankdata

from gellib.data import load_imageset
from gellib.evaluation import MULTILABEL
from gellib.labsim.simulate import SYSTEMS, alzheimer, brain_mri, protein

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "brain"
    SYSTEMS["brain_mri"](out, n=150, seed=1)
    return out


def test_image_number_i_is_the_same_in_a_set_of_any_size(tmp_path):
    for name, few, many in (("brain_mri", 12, 16), ("alzheimer", 64, 70), ("protein", 40, 42)):
        SYSTEMS[name](tmp_path / name / "few", n=few, seed=4)
        SYSTEMS[name](tmp_path / name / "many", n=many, seed=4)
        digests = [
            set(load_imageset(tmp_path / name / size).with_digests().table["digest"])
            for size in ("few", "many")
        ]
        assert len(digests[0] & digests[1]) > 0.8 * few, name
        SYSTEMS[name](tmp_path / name / "other", n=few, seed=5)
        other = load_imageset(tmp_path / name / "other").with_digests().table["digest"]
        assert not digests[0] & set(other), name


def test_too_few_images_are_refused_and_nothing_is_left(tmp_path):
    for name in ("brain_mri", "alzheimer", "protein"):
        with pytest.raises(ValueError, match="n: got 3, expected"):
            SYSTEMS[name](tmp_path / name, n=3)
    assert not list(tmp_path.iterdir())


def test_brains_have_the_proportions_and_the_names_with_spaces(brains):
    counts = load_imageset(brains).counts()
    assert counts["all"].to_dict() == {"no": 58, "yes": 92}
    assert all(" no" in path.name for path in (brains / "no").iterdir())


def test_brains_are_files_of_many_kinds(brains):
    kinds, sizes = Counter(), set()
    for path in brains.rglob("*.*"):
        with Image.open(path) as image:
            wrong = image.format == "PNG" and path.suffix != ".png"
            kinds[image.mode, wrong] += 1
            sizes.add(image.size)
    assert {mode for mode, _ in kinds} == {"RGB", "L", "RGBA", "P"}
    assert sum(count for (_, wrong), count in kinds.items() if wrong) >= 2
    assert len(sizes) > 100
    sides = [max(size) for size in sizes]
    assert min(sides) < 200 and max(sides) > 600


def test_some_brains_are_in_twice_at_another_size(tmp_path):
    copies = [i for i in range(155) if brain_mri._original(0, 1, i) != i]
    assert 3 <= len(copies) <= 16
    index = copies[0]
    original = brain_mri._original(0, 1, index)
    for number in (index, original):
        brain_mri._write_image(tmp_path / str(number), "yes", 0, 1, number)
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.stem) != index)
    copy, first = (Image.open(path).convert("L") for path in paths)
    assert copy.size[0] < first.size[0]
    same = np.asarray(first.resize((32, 32)), float), np.asarray(copy.resize((32, 32)), float)
    assert np.abs(same[0] - same[1]).mean() < 4


def test_files_alone_do_not_tell_brains_apart(brains):
    rows, labels = [], []
    for path in sorted(brains.rglob("*.*")):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
            rows.append([*image.size, image.size[0] / image.size[1], path.suffix == ".jpg"])
            rows[-1] += [image.mode == "RGB", float(pixels[:4].mean())]
        labels.append(path.parent.name == "yes")
    labels = np.array(labels)
    yes, no = labels.sum(), (~labels).sum()
    for values in np.array(rows, float).T:
        auc = (rankdata(values)[labels].sum() - yes * (yes + 1) / 2) / (yes * no)
        assert 0.35 < auc < 0.65


def test_tumours_make_one_side_unlike_the_other():
    def gap(label, seed):
        image = brain_mri.draw_image(label, np.random.default_rng([seed, 7]), 96, 110).astype(float)
        small = np.asarray(Image.fromarray(image).resize((12, 14)))
        return np.abs(small - small[:, ::-1]).max()

    gaps = {label: [gap(label, seed) for seed in range(60)] for label in ("no", "yes")}
    above = np.mean([yes > no for yes in gaps["yes"] for no in gaps["no"]])
    assert above > 0.65  # an easy measure tells them apart, but far from perfectly
    assert above < 0.97


@pytest.fixture(scope="module")
def dements(tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "alzheimer"
    SYSTEMS["alzheimer"](out, n=420, seed=0, parquet=False)
    return load_imageset(out)


def test_stages_have_their_proportions_and_people_stay_together(dements):
    assert dements.classes == tuple(alzheimer.CLASSES)
    total = dements.counts().sum(axis=1)
    for name, (images, _) in alzheimer.CLASSES.items():
        assert total[name] == max(8, round(420 * images / 6400))
    people = dements.table.groupby("group")
    assert (people["label"].nunique() == 1).all() and (people["split"].nunique() == 1).all()
    assert people.size().between(2, 12).all()
    test = (dements.table["split"] == "test").mean()
    assert 0.15 < test < 0.26
    assert set(dements.table.loc[dements.table["split"] == "test", "label"]) == {0, 1, 2, 3}


def test_parquet_and_folders_hold_the_same(tmp_path):
    pytest.importorskip("pyarrow")
    sets = []
    for parquet in (True, False):
        SYSTEMS["alzheimer"](tmp_path / str(parquet), n=64, seed=3, parquet=parquet)
        images = load_imageset(tmp_path / str(parquet)).with_digests()
        assert images.classes == tuple(alzheimer.CLASSES)
        columns = ["digest", "label", "split", "group"]
        sets.append(images.table[columns].sort_values("digest").to_numpy().tolist())
    assert (tmp_path / "True" / "data" / "train-00000-of-00001.parquet").is_file()
    assert sets[0] == sets[1]


def test_a_slice_is_most_like_its_own_person_and_hardly_like_its_stage(dements):
    """Splitting slices at random is worthless: the nearest neighbour then is the same person."""
    pixels = np.stack(
        [np.asarray(Image.open(p).resize((32, 32)), np.float32) for p in dements.table["path"]]
    ).reshape(len(dements), -1)
    labels, people = dements.table["label"].to_numpy(), dements.table["group"].to_numpy()
    square = (pixels**2).sum(1)
    apart = square[:, None] + square[None] - 2 * pixels @ pixels.T
    np.fill_diagonal(apart, np.inf)
    at_random = (labels[apart.argmin(1)] == labels).mean()
    apart[people[:, None] == people[None]] = np.inf
    by_person = (labels[apart.argmin(1)] == labels).mean()
    assert at_random > 0.97
    assert by_person < 0.65


def test_stages_can_be_told_by_what_they_are_about():
    """The share of fluid grows from stage to stage, and stages overlap."""
    loss = {}
    for name in ("Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented"):
        heads = [alzheimer.person(name, 0, number) for number in range(40)]
        loss[name] = np.array([head.ventricle for head in heads])
    means = [values.mean() for values in loss.values()]
    assert means == sorted(means)
    pairs = loss["Very_Mild_Demented"][:, None] > loss["Non_Demented"][None]
    assert 0.7 < pairs.mean() < 0.97


def test_labels_of_proteins_come_as_often_as_they_do_in_life():
    drawn = [protein.draw_labels(np.random.default_rng([0, i])).split() for i in range(4000)]
    share = Counter(label for labels in drawn for label in labels)
    # Measured on 19,236 images of the Human Protein Atlas, in percent.
    known = {4: 47.1, 6: 29.7, 7: 13.7, 2: 13.2, 0: 10.9, 3: 10.3, 1: 9.1, 9: 6.6, 5: 5.8, 8: 5.4}
    for label, percent in known.items():
        assert abs(100 * share[str(label)] / 4000 - percent) < 2, label
    several = Counter(map(len, drawn))
    assert abs(several[1] / 4000 - 0.553) < 0.05 and abs(several[2] / 4000 - 0.379) < 0.05
    both = np.mean(["6" in labels and "4" in labels for labels in drawn])
    assert 0.10 < both < 0.18


def test_proteins_are_laid_out_as_a_table_and_load(tmp_path):
    SYSTEMS["protein"](tmp_path / "set", n=60, seed=0)
    lines = (tmp_path / "set" / "labels.csv").read_text().splitlines()
    assert lines[0] == ",Image,Label" and lines[1].startswith("0,1,")
    images = load_imageset(tmp_path / "set")
    assert images.task == MULTILABEL and len(images) == 60
    assert set(images.classes) <= set(protein.PLACES) and "Nucleoplasm" in images.classes
    assert images.classes == tuple(p for p in protein.PLACES if p in images.classes)
    assert Image.open(images.table["path"][0]).mode == "RGB"


def test_a_protein_is_where_its_label_says():
    def green_over(place, where):
        rng = np.random.default_rng([3, place])
        image = protein.draw_image(str(place), rng).astype(float) / 255
        nucleus = image[..., 2] > 0.3
        inside, outside = image[nucleus, 1].mean(), image[~nucleus, 1].mean()
        return inside / outside if where == "nucleus" else outside / inside

    for place in (1, 2, 4, 5, 9):
        assert green_over(place, "nucleus") > 1.3, protein.PLACES[place]
    for place in (0, 6, 7):
        assert green_over(place, "cell") > 2, protein.PLACES[place]
