"""Decisions about labels: honoured by every layout, wrong ones explained; doubtful labels found."""

import ipywidgets
import numpy as np
import pytest
from making.folders import make_mislabelled
from making.images import make_blobs, save_png

from gellib.audit.suspects import label_features, label_suspects, out_of_fold
from gellib.data import DatasetError, load_imageset, read_decisions
from gellib.data.duplicates import Duplicates, find_duplicates, summarise_images
from gellib.report.widgets import ReviewWidget

pytestmark = pytest.mark.slow


def review(root, *rows, header="file,decision,label"):
    (root / "labels_reviewed.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def folders(tmp_path):
    for i in range(4):
        save_png(tmp_path / "cat" / f"{i}.png", make_blobs(i))
        save_png(tmp_path / "dog" / f"{i}.png", make_blobs(10 + i))
    return tmp_path


def labels_of(images):
    names = [images.classes[i] for i in images.table["label"]]
    return dict(zip(images.table["file"], names, strict=True))


def test_decisions_are_honoured_in_folders(folders):
    before = load_imageset(folders)
    review(folders, "cat/0.png,keep,", "cat/1.png,change,dog", "dog/2.png,drop,")
    images = load_imageset(folders)
    labels = labels_of(images)
    assert len(images) == 7 and "dog/2.png" not in labels
    assert labels["cat/0.png"] == "cat" and labels["cat/1.png"] == "dog"
    assert images.fingerprint() != before.fingerprint()


def test_decisions_are_honoured_in_splits_and_tables(folders, tmp_path):
    split = tmp_path / "split"
    for part in ("train", "test"):
        for i in range(2):
            save_png(split / part / "a" / f"{i}.png", make_blobs(i))
            save_png(split / part / "b" / f"{i}.png", make_blobs(20 + i))
    review(split, "test/a/1.png,change,b")
    images = load_imageset(split)
    assert labels_of(images)["test/a/1.png"] == "b"
    assert images.counts().loc["b", "test"] == 3
    table = tmp_path / "table"
    for i in range(4):
        save_png(table / f"{i}.png", make_blobs(i))
    rows = ["file,label", "0.png,x", "1.png,x|y", "2.png,y", "3.png,x"]
    (table / "labels.csv").write_text("\n".join(rows))
    review(table, "0.png,change,x|y", "3.png,drop,")
    images = load_imageset(table)
    assert dict(zip(images.table.file, images.table.label, strict=True)) == {
        "0.png": (0, 1), "1.png": (0, 1), "2.png": (1,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        (["cat/0.png,keep"], "file,decision", "Expected the columns file,decision,label"),
        (["cat/0.png,keep"], "file,decision,label", "got 2 cells in row 2"),
        (["cat/0.png,kep,"], "file,decision,label", "did you mean 'keep'"),
        (["cat/0.png,change,"], "file,decision,label", "Expected a label for change"),
        (["cat/0.png,drop,dog"], "file,decision,label", "Expected a label for change"),
        (["cat/0.png,change,dgo"], "file,decision,label", "did you mean 'dog'"),
        (["cta/0.png,change,dog"], "file,decision,label", "did you mean 'cat/0.png'"),
        (["cat/0.png,keep,", "cat/0.png,drop,"], "file,decision,label", "decided twice"),
        ([f"cat/{i}.png,drop," for i in range(4)], "file,decision,label", "leaves no image of"),
    ],
)
def test_malformed_decisions_say_what_is_wrong(folders, rows, header, words):
    review(folders, *rows, header=header)
    with pytest.raises(DatasetError, match=words):
        load_imageset(folders)


def test_a_dropped_file_may_be_gone_but_a_misspelt_one_is_warned_of(folders):
    review(folders, "cat/x.tif,drop,")
    assert len(load_imageset(folders)) == 8
    review(folders, "cat/00.png,drop,")
    with pytest.warns(UserWarning, match="Nothing is dropped"):
        load_imageset(folders)


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory):
    return make_mislabelled(tmp_path_factory.mktemp("mislabelled"))


@pytest.mark.slow
def test_wrong_labels_are_the_most_doubtful(mislabelled):
    summaries = summarise_images(list(mislabelled.table["path"]))
    features = label_features(mislabelled, summaries=summaries)
    duplicates = find_duplicates(mislabelled, summaries=summaries)
    probabilities = out_of_fold(mislabelled, features, duplicates=duplicates)
    assert np.allclose(probabilities.sum(axis=1), 1)
    found = label_suspects(mislabelled, probabilities, k=6)
    wrong = [
        file for file in found["file"] if not file.split("/")[1].startswith(file.split("/")[0])
    ]
    assert len(wrong) >= 5, "six of forty labels are wrong"
    assert (found["p_label"] < 0.5).all() and found["p_label"].is_monotonic_increasing
    assert (found["suggested"] != found["label"]).all()


def test_a_copy_does_not_vouch_for_a_wrong_label(mislabelled):
    files, labels = list(mislabelled.table["file"]), mislabelled.table["label"].to_numpy()
    wrong = np.flatnonzero(labels == 0)[:4]
    rng = np.random.default_rng(0)
    features = rng.normal(0, 0.1, (len(labels), 3))
    features[:, 0] += labels
    # Four copies of one picture: like the other class, but for a mark of their own.
    features[wrong] = [1.0, 0.0, 3.0]
    pairs = tuple((files[wrong[0]], files[row]) for row in wrong[1:])
    alone = out_of_fold(mislabelled, features)[wrong, 0]
    together = out_of_fold(mislabelled, features, duplicates=Duplicates(exact=pairs))[wrong, 0]
    assert alone.min() > 0.5 and together.max() < 0.3


@pytest.fixture
def form(mislabelled, tmp_path):
    import shutil

    shutil.copytree(mislabelled.root, tmp_path / "data")
    images = load_imageset(tmp_path / "data")
    summaries = summarise_images(list(images.table["path"]))
    probabilities = out_of_fold(images, label_features(images, summaries=summaries))
    return ReviewWidget(images, label_suspects(images, probabilities, k=4))


def buttons(card):
    found = {}
    for widget in card.children[1].children[1].children:
        name = "choice" if isinstance(widget, ipywidgets.Dropdown) else widget.description
        found[name] = widget
    return found


def test_each_decision_is_written_at_once_and_honoured(form):
    files = list(form.suspects["file"])
    assert len(form.cards) == 4
    assert bytes(form.cards[0].children[0].value).startswith(b"\x89PNG")
    buttons(form.cards[0])["Keep"].click()
    assert [d.decision for d in read_decisions(form.root)] == ["keep"]
    buttons(form.cards[1])["Change to"].click()
    buttons(form.cards[2])["Drop"].click()
    decisions = {d.file: (d.decision, d.label) for d in read_decisions(form.root)}
    other = form.suspects["suggested"][1]
    assert decisions == {
        files[0]: ("keep", ""),
        files[1]: ("change", other),
        files[2]: ("drop", ""),
    }
    assert "3 of 4 decided" in form.about.value
    reloaded = load_imageset(form.root)
    assert labels_of(reloaded)[files[1]] == other and files[2] not in labels_of(reloaded)
    assert list(form.root.glob("*.csv")) == [form.root / "labels_reviewed.csv"]
    assert [p for p in form.root.iterdir() if p.name.startswith(".")] == []


def test_a_decision_may_change_and_be_taken_back(form):
    file = form.suspects["file"][0]
    form.decide(file, "drop")
    form.decide(file, "keep")
    assert [d.decision for d in read_decisions(form.root)] == ["keep"]
    buttons(form.cards[0])["Undo"].click()
    assert read_decisions(form.root) == [] and len(load_imageset(form.root)) == 40
    with pytest.raises(ValueError, match="Expected one of lying, standing"):
        form.decide(file, "change", "sitting")


def test_a_form_opened_later_shows_what_was_decided(form):
    file = form.suspects["file"][0]
    form.decide(file, "change", form.suspects["suggested"][0])
    images = load_imageset(form.root)
    again = ReviewWidget(images, form.suspects)
    assert "changed to" in again.cards[0].children[1].children[2].value
    again.take_back(file)
    form.decide(form.suspects["file"][1], "drop")
    assert [d.file for d in read_decisions(form.root)] == [form.suspects["file"][1]]


def test_nothing_doubtful_is_good_news(form):
    empty = ReviewWidget(load_imageset(form.root), form.suspects[:0])
    assert "No label is doubtful" in empty.about.value and empty.cards == []
