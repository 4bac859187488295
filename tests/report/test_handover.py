"""Model cards, methods paragraphs and checklists: every number is on record, names stay text."""

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner
from making.hostile import HOSTILE, Found, markdown
from making.sweeps import make_cross_validated_sweep, make_sweep
from making.trained import KINDS, make_trained_sweep

from gellib import __version__
from gellib.base.markup import as_plain
from gellib.base.paths import PROJECT_ROOT
from gellib.cli import main
from gellib.config import RunConfig
from gellib.plots.base import three_digits
from gellib.report.baselines import MAJORITY, STATISTICS
from gellib.report.comparison import Comparison
from gellib.report.comparison.reference import BaselineScores
from gellib.report.handover import (
    GUIDELINES,
    DocumentError,
    GuidelineError,
    Reported,
    ReportedError,
    card_of,
    checklist,
    to_html,
    to_markdown,
    write_document,
    write_methods,
)
from gellib.report.handover import references as refs
from gellib.report.handover.answers import TOPICS
from gellib.report.handover.baseline_sentences import baselines_sentence
from gellib.report.handover.checklist import fill, read_guideline
from gellib.report.handover.data_sentences import duplicates_sentence
from gellib.report.handover.document import Paragraph, Verbatim, to_page
from gellib.report.handover.evaluation_sentences import (
    choice_sentence,
    headline_intervals_sentence,
    intervals_sentence,
)
from gellib.report.handover.limits import limits
from gellib.report.handover.methods import MOST_WORDS, count_words
from gellib.report.handover.model_sentences import (
    imbalance_words,
    software_sentence,
    training_sentence,
)
from gellib.report.handover.promise_sentences import (
    calibration_sentence,
    sets_sentence,
    thresholds_sentence,
)
from gellib.report.handover.reported import Measured
from gellib.report.handover.short_answers import parameters_answer, separation_answer
from gellib.report.summary import Summary
from gellib.runs import RunFolder, SweepFolder
from gellib.training_run.group_findings import DuplicatesFound, FamiliesFound

LEAST_WORDS = 150
DOCUMENTS = {
    "card": card_of,
    "methods": lambda found: write_methods(found).blocks()[:-1],
    "checklist": lambda found: [Paragraph(row.text) for row in rows_of(found)],
}


def rows_of(found):
    """The rows of all checklists."""
    return [row for name in GUIDELINES for row in fill(read_guideline(name), found)]


# What is named with a number, or says how intervals are: no fact of a run.
_FIXED = re.compile(
    r"\b95 % interval|\(95 %\)|sha256|L2|F1|ReLU|kept 0\.5|fewer than 100|"
    r"\([^()]*(?:19|20)\d\d\)"
)
# What stays where other numbers change: counts of lists, zeros, ones, and names.
_KEPT = re.compile(
    r"of \d classes|of \d labels each|\d labels? with too few|Model card: \d|\b0(?:\.0)?\b|"
    r"100\.0 %|1\.00|, \d threads?,"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The sweeps of all kinds, each trained when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("handover"), {}

    def sweep(kind):
        if kind not in made:
            made[kind] = make_trained_sweep(kind, folder)
        return made[kind]

    return sweep


def text_of(document, found):
    """A document as plain text, without what has a number but is no fact."""
    blocks = [b for b in DOCUMENTS[document](found) if not isinstance(b, Verbatim)]
    plain = as_plain(to_markdown(blocks))
    for place in (found.sweep.path, found.record.data.root):
        plain = plain.replace(str(place), "")
    return _FIXED.sub("~", re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain))


def leaves(value):
    if isinstance(value, dict):
        for key, own in value.items():
            yield key
            yield from leaves(own)
    elif isinstance(value, list):
        yield len(value)
        for own in value:
            yield from leaves(own)
    else:
        yield value


def forms(value):
    """The ways in which a value of a record may be written."""
    if isinstance(value, str):
        yield from _NUMBER.findall(value)
    elif isinstance(value, (int, float)) and value == value:
        yield from (f"{value:g}", f"{value:.2f}", f"{abs(value):.2f}")
        yield from (f"{100 * value:.1f}", f"{100 * value:.0f}", f"{100 * value:g}")
        yield str(value) if isinstance(value, int) else three_digits(value)


def known_numbers(found):
    """Every number of the records, and what is counted or computed from the run's files."""
    record = found.record
    known = {
        form for r in found.comparison.records for v in leaves(r.to_dict()) for form in forms(v)
    }
    counts = record.data.counts
    sums = [sum(own.values()) for own in counts.values()]
    splits = {name for own in counts.values() for name in own}
    sums += [sum(own.get(name, 0) for own in counts.values()) for name in splits]
    sums += [len(record.data.classes), found.images, found.groups, found.config["fold"] + 1]
    sums += [len(found.seeds), len(found.comparison.done), found.comparison.margin]
    for score in (found.out_of_fold, found.corrected, found.tested):
        sums += list(score or ())
    matrix = record.scores.get("confusion_matrix")
    sums += [max(map(sum, matrix)) / sum(map(sum, matrix))] if matrix else []
    sums += [round((1 - record.scores["accuracy"]) * record.scores["n"])]
    return known | {form for value in sums for form in forms(value)}


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["sweep", "run"])
@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_on_record(trained, kind, document, whole):
    sweep = trained(kind)
    found = Reported.find(sweep.path if whole else sweep.best().path)
    text, known = text_of(document, found), known_numbers(found)
    numbers = list(_NUMBER.finditer(text))
    assert len(numbers) > 10
    unknown = [around(text, m) for m in numbers if m[0] not in known]
    assert not unknown, unknown


def around(text, match):
    return text[max(0, match.start() - 40) : match.end() + 20]


def changed(value, key=""):
    """Change every number in a record, and the digits of texts that nothing is decided by."""
    if isinstance(value, dict):
        return {name: changed(own, name) for name, own in value.items()}
    if isinstance(value, list):
        return [changed(own, key) for own in value]
    if isinstance(value, bool) or value is None or key in ("schema", "seed", "threads"):
        return value
    if isinstance(value, int):
        return value + 1 if value else 0
    if isinstance(value, float) and value != 1:
        return value * (0.985 if value > 0.5 else 0.8)
    texts = ("augmentation", "pretrained_model", "source", "sha256", "fingerprint", "config_hash")
    texts += ("python", "gellib", "torch", "torchvision", "timm", "scikit_learn", "numpy", "scipy")
    texts += (
        "pillow",
        "device",
        "git_commit",
        "platform",
        "name",
        "reason",
        "warning",
        "trainable",
        "precision",
    )
    if key in texts and isinstance(value, str):
        return re.sub(r"\d", lambda digit: str(int(digit[0]) % 9 + 1), value)
    return value


def change_files(run):
    """Make some predictions out of fold wrong, leave an image out, and make a group smaller."""
    for file in (run.out_of_fold, run.predictions):
        if not file.is_file():
            continue
        lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
        place = {name: i for i, name in enumerate(lines[0])}
        if "repeat" in place:
            first = lines[1][place["file"]]
            lines = [line for line in lines if line[place["file"]] != first]
        for number, line in enumerate(lines[1:]):
            if "repeat" in place and number % 11 == 0:
                others = {own[place["label"]] for own in lines[1:]} - {line[place["predicted"]]}
                line[place["predicted"]] = min(others)
        if "group" in place and "repeat" not in place:
            grouped = [line for line in lines[1:] if line[place["group"]]]
            if grouped:
                grouped[0][place["group"]] = ""
        file.write_text("\n".join(",".join(line) for line in lines) + "\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_typed(trained, tmp_path, kind, document):
    """Where all numbers of the records and files are others, all numbers of the text are."""
    sweep = SweepFolder(tmp_path / "sweep")
    shutil.copytree(trained(kind).path, sweep.path)
    before = text_of(document, Reported.find(sweep.best().path))
    for run in sweep.run_folders():
        record = json.loads(run.record.read_text(encoding="utf-8"))
        own = changed(record)
        own["config"]["seed"], own["config"]["fold"] = record["config"]["seed"] + 1, 2
        own["config"]["model_id"] = record["config"]["model_id"]
        run.record.write_text(json.dumps(own | {"name": record["name"]}), encoding="utf-8")
        change_files(run)
    after = text_of(document, Reported.find(sweep.best().path))
    lines = [_NUMBER.sub("#", text).splitlines() for text in (before, after)]
    others = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert not others, others
    pairs = list(zip(_NUMBER.finditer(before), _NUMBER.findall(after), strict=True))
    same = [around(before, m) for m, new in pairs if m[0] == new]
    same = [text for text in same if not _KEPT.search(text)]
    assert not same, same


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_paragraph_is_of_a_length_that_fits_a_paper(trained, kind):
    for path in (trained(kind).path, trained(kind).best().path):
        methods = write_methods(Reported.find(path))
        words = count_words(methods.paragraph())
        assert LEAST_WORDS <= words <= MOST_WORDS, (words, methods.paragraph())
        assert "\x02" not in methods.paragraph() and "  " not in methods.paragraph()


# How many items each guideline has, and which of them are first and last.
ITEMS = {
    "reforms": (32, "1a", "8b"),
    "tripod-ai": (52, "1", "27c"),
    "claim": (44, "1", "44"),
    "dome": (21, "Data: provenance", "Evaluation: availability"),
}


@pytest.mark.parametrize("name", GUIDELINES)
def test_every_item_of_a_guideline_is_there_once(name):
    items = read_guideline(name).items
    numbers = [item.number for item in items]
    assert (len(items), numbers[0], numbers[-1]) == ITEMS[name] and len(set(numbers)) == len(items)
    assert all(item.about and (item.topics or item.question) for item in items)
    assert {topic for item in items for topic in item.topics} <= set(TOPICS)


def test_every_topic_belongs_to_an_item():
    used = {t for name in GUIDELINES for item in read_guideline(name).items for t in item.topics}
    assert used == set(TOPICS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_at_least_half_of_reforms_is_filled_from_files_that_there_are(trained, kind):
    for path in (trained(kind).path, trained(kind).best().path):
        found = Reported.find(path)
        rows = fill(read_guideline("reforms"), found)
        assert sum(bool(row.text) for row in rows) >= len(rows) / 2
        base = found.sweep.path if found.of_sweep else found.folder.path
        for row in rows_of(found):
            assert bool(row.text) == bool(row.files)
            missing = [file for file in row.files if not (base / file).is_file()]
            # No notebook was executed for these runs, and no sweep wrote its tables.
            assert not set(missing) - {"results.csv"} - {f for f in missing if "train.ipynb" in f}


def test_an_unknown_guideline_gets_the_nearest_name(early):
    with pytest.raises(GuidelineError, match="got 'reform': did you mean 'reforms'"):
        checklist(Reported.find(early.path), ["reform"])
    shown = CliRunner().invoke(main, ["checklist", str(early.path), "--only", "reforms"])
    assert shown.exit_code == 0 and "| 8b | where it does not hold |" in shown.output
    assert "CLAIM:" not in shown.output


CITED = {
    "cv": {"liu1989", "tsamardinos2018", "wilson1927", "he2016"},
    "cv_given_test": {"kingma2015", "lin2017", "wilson1927"},
    "holdout_seeds": {"loshchilov2019", "nadeau2003", "kish1965"},
    "kfold": {"kingma2015", "wilson1927"},
    "multilabel_cv": {"wilson1927", "liu1989"},
    "multilabel_holdout": {"efron1987", "kingma2015"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_only_what_was_used_is_cited(trained, kind):
    found = Reported.find(trained(kind).path)
    methods = write_methods(found)
    keys = set(methods.keys())
    assert {"paszke2019", "pedregosa2011", "torchvision2016"} <= keys
    if kind == "holdout_seeds" and found.config["opt_alg"] == "sgd":
        keys.add("loshchilov2019")
    assert CITED[kind] <= keys
    specific = set().union(*CITED.values()) - CITED[kind]
    allowed = {"wilson1927", "delong1988", "he2016", "kish1965"}
    assert not (keys & specific) - allowed
    assert "deng2009" not in keys, "random weights are not ImageNet's"
    assert methods.bibliography().count("@") == len(methods.keys())


def test_every_reference_is_an_entry_with_author_title_and_year():
    entries = refs._entries()
    for key, entry in entries.items():
        assert refs.author_year(key).endswith(re.search(r"year = {(\d{4})}", entry)[1])
        assert "author = {" in entry and "title = {" in entry and entry.endswith("}")
        assert entry.count("{") == entry.count("}"), key
    code = "".join(file.read_text(encoding="utf-8") for file in refs._FILE.parent.glob("*.py"))
    used = set(re.findall(r"""["']([a-z]+\d{4}\w*)["']""", code))
    assert used == set(entries), used ^ set(entries)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet18", "he2016"), ("timm/resnet18.a1_in1k", "he2016"), ("resnext50_32x4d", "xie2017"),
        ("vgg16", "simonyan2015"), ("mobilenet-v3", "howard2019"), ("mobilenet_v2", "sandler2018"),
        ("efficientnet-lite0", "tan2019"), ("efficientnet-b2", "tan2019"),
        ("efficientnet_v2_s", "tan2021"), ("timm/tf_efficientnetv2_b0", "tan2021"),
        ("vit-b-16", "dosovitskiy2021"), ("timm/vit_small_patch14_dinov2", "oquab2024"),
        ("timm/deit3_small_patch16_224", "touvron2022"), ("convnext_tiny", "liu2022"),
        ("regnet_y_400mf", "radosavovic2020"), ("densenet121", "huang2017"),
        ("shufflenet_v2_x1_0", "ma2018"), ("mnasnet1_0", "tan2019mnasnet"),
    ],
)  # fmt: skip
def test_a_network_is_cited_by_its_paper(name, key):
    assert refs.network_keys(name) == ([key], [])


def test_a_network_without_a_known_paper_is_named_to_the_author():
    assert refs.network_keys("resnet18+timm/hgnetv2_b0") == (["he2016"], ["timm/hgnetv2_b0"])
    assert refs.from_timm("resnet18+timm/hgnetv2_b0") and refs.from_timm("efficientnet-lite0")
    assert not refs.from_timm("efficientnet_b0")


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    """A sweep of the first version of records: no parameters, intervals, duplicates, or sets."""
    folder = tmp_path_factory.mktemp("early")
    grid = (("cpu", "resnet18", "single", "adam"), ("cpu", "vgg16", "multi", "sgd"))
    return make_sweep(folder / "gel", folder / "data", grid=grid)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_records_of_the_first_version_are_reported(early, document):
    for path in (early.path, early.best().path):
        text = to_markdown(DOCUMENTS[document](Reported.find(path)))
        assert "22 test images" in text or "22 images" in text
        assert "nan" not in text and "None" not in text


def edited(early, folder, **sections):
    """The best run of a sweep, with values of sections of its record replaced."""
    run = RunFolder(folder / "sweep" / "run")
    shutil.copytree(early.best().path, run.path)
    record = run.read_record().to_dict()
    for name, values in sections.items():
        record[name] = values if values is None else {**(record.get(name) or {}), **values}
    run.record.write_text(json.dumps(record), encoding="utf-8")
    return Reported.find(run.path)


LOW, HIGH = Measured(0.55, 0.45, 0.65, 92), Measured(0.95, 0.9, 0.99, 40)


@pytest.mark.parametrize(
    ("seen", "corrected", "tested", "limited"),
    [(HIGH, LOW, HIGH, True), (LOW, None, HIGH, True), (HIGH, HIGH, LOW, False)],
)
def test_a_baseline_is_held_against_the_score_on_its_images(
    tmp_path, monkeypatch, seen, corrected, tested, limited
):
    sweep = make_cross_validated_sweep(tmp_path, [0.8, 0.7], given_test=40)
    (sweep.path / "baselines.json").write_text("{}")
    for name, score in (("out_of_fold", seen), ("corrected", corrected), ("tested", tested)):
        monkeypatch.setattr(Reported, name, score)
    found = Reported.find(sweep.path)
    found.comparison.__dict__["baselines"] = BaselineScores({MAJORITY: 0.5, STATISTICS: 0.6})
    assert baselines_sentence(found).endswith("60.0 % on the images out of fold.")
    said = [text for text in limits(found) if "not shown to be better" in text]
    assert bool(said) == limited and all("50.0 % on the images out of fold." in s for s in said)
    # Of the run alone, only the classes of the test images are known.
    alone = Reported.find(sweep.best().path)
    assert baselines_sentence(alone).endswith("50.0 % on the test images.")
    said = [text for text in limits(alone) if "not shown to be better" in text]
    assert bool(said) != limited and all("50.0 % on the test images." in s for s in said)


@pytest.mark.parametrize("folds", [True, False])
def test_the_commonest_class_is_named_with_its_images(tmp_path, early, folds):
    sweep = make_cross_validated_sweep(tmp_path, [0.8]) if folds else early
    images = "images out of fold" if folds else "test images"
    for path in (sweep.path, sweep.best().path):
        assert baselines_sentence(Reported.find(path)).endswith(f" % on the {images}.")


@pytest.mark.parametrize("families", [True, False])
@pytest.mark.parametrize("duplicates", [True, False])
@pytest.mark.parametrize("pairs", [(0, 0), (2, 0), (0, 1), (2, 1)])
def test_duplicates_that_were_not_kept_together_are_told(
    early, tmp_path, pairs, duplicates, families
):
    searched = duplicates or families
    exact, near = pairs if searched else (0, 0)
    own = DuplicatesFound(exact=exact, near=near, checked=duplicates).to_dict()
    kin = FamiliesFound(checked=families).to_dict()
    found = edited(early, tmp_path, data={"duplicates": own, "families": kin})
    said = duplicates_sentence(found)
    assert said.startswith("A search for duplicates found" if searched else "Duplicates of images")
    assert all(f"{n} pair" in said for n in (exact, near) if n)
    assert ("did not decide how the images were divided" in said) == (
        not duplicates and exact + near > 0
    )
    memory = [text for text in limits(found) if "may be of memory" in text]
    assert bool(memory) == (not duplicates and (exact + near > 0 or not searched))


@pytest.mark.parametrize("folder", ["", "/elsewhere/test"])
def test_images_of_another_folder_are_on_record(early, tmp_path, folder):
    said = as_plain(" ".join(limits(edited(early, tmp_path, config={"test_dir": folder}))))
    assert ("nothing on record is about them" in said) == (not folder)
    assert not folder or f"only the test images of {folder} are on record" in said


@pytest.mark.slow
def test_a_sweep_with_one_finished_run_is_reported_as_a_sweep(tmp_path, monkeypatch):
    grid = (("cpu", "resnet18", "single", "adam"), ("cpu", "vgg16", "multi", "sgd"))
    for number, own in enumerate((grid[:1], grid)):
        place = tmp_path / str(number)
        sweep = make_sweep(place / "gel", place / "data", grid=own, failed=(2,))
        (sweep.path / "baselines.json").write_text("{}")
        sweep.best().notebook.write_text("{}")
        monkeypatch.setattr(Comparison, "baselines", BaselineScores({STATISTICS: 0.6}))
        found = Reported.find(sweep.path)
        card = to_markdown(card_of(found))
        named = {file for row in rows_of(found) for file in row.files}
        named |= set(re.findall(r"[\w./-]+\.(?:json|csv|pt|ipynb)\b", as_plain(card)))
        assert {sweep.best().model.name, "train.ipynb"} <= {Path(file).name for file in named}
        missing = {file for file in named if not (sweep.path / file).is_file()}
        assert not missing, missing
        assert "image statistics" in card and "**Made for:**" in card
        assert "configurations" not in choice_sentence(found)


@pytest.mark.parametrize(
    ("scores", "losses", "said"),
    [
        ([0.9, 0.8], [0.3, 0.2], "was chosen;"),
        ([0.9, 0.9], [0.2, 0.3], "was chosen (2 had it: of these, that with the smallest loss);"),
        ([0.9, 0.9 + 1e-14], [0.2, 0.2], "that with the smallest loss and number);"),
    ],
)
def test_what_decided_between_equal_scores_is_told(early, scores, losses, said):
    found = Reported.find(early.path)
    done = found.comparison.done.assign(val_accuracy=scores, val_loss=losses)
    found.comparison.__dict__["done"] = done
    assert said in choice_sentence(found)


@pytest.mark.parametrize("folds", [True, False])
def test_probabilities_that_were_left_as_they_are_say_why(early, tmp_path, folds):
    reason = "12 validation images are too few to choose a temperature"
    found = edited(
        early,
        tmp_path,
        calibration={"temperature": 1.0, "n_val": 12, "reason": reason},
        evaluation={"method": "cv" if folds else "holdout"},
    )
    assert ("validation images" in calibration_sentence(found)) == (not folds)
    assert ("12 images are too few" in calibration_sentence(found)) == folds


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, "no calibration is on record"),
        ({"temperature": 1.2, "n_val": 12}, "too few to calibrate"),
        ({"temperature": 1.2, "n_val": 200}, ""),
    ],
)
def test_probabilities_without_calibration_are_a_limit(early, tmp_path, own, said):
    found = edited(early, tmp_path, calibration=own)
    text = [text for text in limits(found) if "probabilities taken at their word" in text]
    assert bool(text) == bool(said) and said in " ".join(text)


@pytest.mark.parametrize(
    ("network", "keys"),
    [
        ("resnet18", {"torchvision2016"}),
        ("timm/resnet18", {"wightman2019"}),
        ("resnet18+vgg16", {"torchvision2016"}),
        ("timm/resnet18+efficientnet-lite0", {"wightman2019"}),
        ("resnet18+timm/resnet18", {"torchvision2016", "wightman2019"}),
        ("efficientnet-lite0+resnet18", {"torchvision2016", "wightman2019"}),
    ],
)
def test_each_library_of_a_joined_network_is_cited(early, tmp_path, network, keys):
    found = edited(early, tmp_path, config={"pretrained_model": network})
    cited = set(refs.keys_in([software_sentence(found)]))
    assert cited & {"torchvision2016", "wightman2019"} == keys


MULTILABEL = {"task": "multilabel"}


@pytest.mark.parametrize(
    ("data", "scores", "every", "alone"),
    [
        ({}, {"roc_auc": 0.9}, "DeLong's", "Wilson's"),
        ({}, {"roc_auc": 1.0}, "Newcombe's", "Wilson's"),
        (MULTILABEL, {"roc_auc": 0.9, "f1_samples": 0.9}, "DeLong's", "from the BCa bootstrap"),
        (MULTILABEL, {"roc_auc": 0.0, "f1_samples": 1.0}, "Newcombe's", "Wilson's"),
    ],
)
def test_methods_of_intervals_are_those_of_the_scores(
    early, tmp_path, monkeypatch, data, scores, every, alone
):
    """Where a score is perfect nothing varies, and another method gives the interval."""
    test = {"n": 22, "accuracy": 0.9, **scores, "intervals": {"accuracy": [0.4, 0.95]}}
    found = edited(early, tmp_path, data=data, metrics={"test": test})
    monkeypatch.setattr(Reported, "tested", HIGH)
    said = intervals_sentence(found)
    assert every in said and ("Newcombe's" in said) != ("DeLong's" in said)
    assert headline_intervals_sentence(found).startswith(f"Intervals (95 %) were {alone}")


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("few", [0, 1, 2])
def test_no_promise_is_told_where_there_is_none(early, tmp_path, labels, few):
    names = ["gel", "not_gel"][:few]
    found = edited(
        early,
        tmp_path,
        data=MULTILABEL if labels else {},
        prediction_sets={"level": 0.95, "source": "validation", "too_few": names},
        thresholds={"values": {"gel": 0.3, "not_gel": 0.5}, "not_tuned": names},
    )
    said, cut, fitted = sets_sentence(found), thresholds_sentence(found), separation_answer(found)
    assert ("promise nothing" in said) == (few == 2) != ("were fitted" in said)
    assert ("without a promise" in said) == (few == 1)
    assert ("label by label" if labels else "class by class") in said or few == 2
    assert ("more probable than not" in cut) == (few == 2) != ("highest F1" in cut)
    assert ("the prediction sets" in fitted) == ("the thresholds" in fitted) == (few < 2)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("imbalance", ["none", "sampler", "class_weights"])
def test_weights_of_classes_and_of_labels_are_told_apart(early, tmp_path, imbalance, labels):
    data = MULTILABEL if labels else {}
    found = edited(early, tmp_path, data=data, config={"imbalance": imbalance})
    said = imbalance_words(found)
    assert ("label" in said) == labels and ("No " in said) == (imbalance == "none")
    assert imbalance == "none" or training_sentence(found).endswith(said)


@pytest.mark.parametrize("folds", [True, False])
def test_parameters_were_trained_on_the_training_images_alone(early, tmp_path, folds):
    found = edited(
        early,
        tmp_path,
        parameters={"total": 100, "trained": 10},
        evaluation={"method": "cv" if folds else "holdout"},
    )
    images = f"{found.splits['cv']}" if folds else "12 training"
    assert parameters_answer(found) == f"Of 100 parameters, 10 were trained, on {images} images."


def hostile(early, folder, name):
    """A run with a name wherever a record has one."""
    run = RunFolder(folder / "sweep" / "run")
    shutil.copytree(early.best().path, run.path)
    record = run.read_record().to_dict()
    other = f"{name} 2"
    data = record["data"]
    data |= {"classes": [name, other], "positive": name, "root": name, "fingerprint": name}
    data["counts"] = dict(zip((name, other), data["counts"].values(), strict=True))
    data["skipped_images"] = [{"file": name, "reason": name}]
    data["duplicates"] = {"checked": True, "exact": 2, "problem": name, "images": 2,
                          "cross_split_pairs": [[name, name, 0.0]]}  # fmt: skip
    data["families"] = {"warning": name, "sentence": name, "groups": 1, "images": 2}
    for metrics in record["metrics"].values():
        metrics["per_class"] = dict(zip((name, other), metrics["per_class"].values(), strict=True))
        metrics["positive"] = name
    record["weights"] = {"name": name, "source": name, "sha256": name, "warning": name,
                         "license": name}  # fmt: skip
    record["environment"] |= dict.fromkeys(("python", "torch", "gellib", "device", "timm"), name)
    record["prediction_sets"] = {"level": 0.95, "source": "validation", "too_few": [name, other]}
    record["out_of_distribution"] = {"reason": name}
    record["calibration"] = {"temperature": 1.0, "n_val": 5, "reason": name}
    record["config"] |= {"pretrained_model": name, "augmentation": name, "trainable": name,
                         "monitor": name, "schedule": name, "dataset_dir": name}  # fmt: skip
    record["config_hash"] = name
    run.record.write_text(json.dumps(record), encoding="utf-8")
    return run


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_and_none_runs(early, tmp_path, name, document):
    found = Reported.find(hostile(early, tmp_path, name).path)
    blocks = DOCUMENTS[document](found)
    line = " ".join(name.split())
    shown = (to_page(blocks), markdown(to_markdown(blocks)), to_html(blocks))
    for page in shown:
        seen = Found(page)
        assert not seen.unknown, seen.unknown
        assert line in seen.text or (document == "methods" and line[:35] in seen.text)
    pytest.importorskip("docx")
    file = write_document(blocks, tmp_path / "x.docx")
    with zipfile.ZipFile(file) as package:
        body = ElementTree.fromstring(package.read("word/document.xml"))
        relations = package.read("word/_rels/document.xml.rels").decode()
    text = " ".join("".join(body.itertext()).split())
    assert line in text or line[:35] in text
    assert "External" not in relations, "nothing is loaded from elsewhere"


@pytest.mark.slow
def test_a_document_is_the_same_in_each_form(early, tmp_path):
    docx = pytest.importorskip("docx")
    blocks = card_of(Reported.find(early.path))
    for suffix in ("md", "html", "docx"):
        write_document(blocks, tmp_path / f"card.{suffix}")
    document = docx.Document(str(tmp_path / "card.docx"))
    word = [p.text for p in document.paragraphs]
    word += [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    page = Found((tmp_path / "card.html").read_text(encoding="utf-8")).text
    rendered = Found(markdown((tmp_path / "card.md").read_text(encoding="utf-8"))).text
    assert len(word) > 60
    for text in filter(None, word):
        assert " ".join(text.split()) in page and " ".join(text.split()) in rendered, text


def test_commands_print_and_write(early, tmp_path):
    run = CliRunner().invoke
    shown = run(main, ["card", str(early.path)])
    assert shown.exit_code == 0 and shown.output.startswith("# Model card: 01-cpu-resnet18")
    paper = [str(tmp_path / "m.html"), str(tmp_path / "m.bib")]
    written = run(main, ["methods", str(early.path), "--out", paper[0], "--bib", paper[1]])
    assert written.exit_code == 0, written.output
    assert "@inproceedings{he2016," in (tmp_path / "m.bib").read_text(encoding="utf-8")
    assert "He et al., 2016" in (tmp_path / "m.html").read_text(encoding="utf-8")
    # The references stand in one place.
    alone = run(main, ["methods", str(early.path), "--bib", paper[1]])
    assert "He et al., 2016" in alone.stdout and "@inproceedings" not in alone.stdout
    assert "@inproceedings{he2016," in run(main, ["methods", str(early.path)]).stdout
    wrong = run(main, ["card", str(early.path), "--out", str(tmp_path / "x.pdf")])
    assert wrong.exit_code == 1 and "got the suffix '.pdf', expected one of .md" in wrong.output


@pytest.mark.parametrize(
    "own",
    [
        "@book{mine2020,\n  title = {Mine},\n}\n",
        "% my references\n",
        "\\documentclass{article}",
        "ü",
    ],
)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside ours"])
def test_a_bibliography_of_the_author_is_not_written_over(early, tmp_path, own, beside):
    file, paper = tmp_path / "references.bib", tmp_path / "m.md"
    arguments = ["methods", str(early.path), "--out", str(paper), "--bib", str(file)]
    if beside:
        for _ in range(2):  # a second time, over its own
            assert CliRunner().invoke(main, arguments).exit_code == 0
        own = f"{file.read_text(encoding='utf-8')}\n{own}"
        paper.unlink()
    file.write_bytes(own.encode("latin-1"))
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2 and "gellib.bib" in refused.output
    assert file.read_bytes() == own.encode("latin-1") and not paper.exists()


def test_what_cannot_be_reported_is_said(tmp_path, early, monkeypatch):
    with pytest.raises(ReportedError, match="no finished run"):
        Reported.find(tmp_path)
    run = RunFolder(tmp_path / "failed")
    run.write_outcome(RunConfig(), "failed", "out of memory")
    with pytest.raises(ReportedError, match="is failed: out of memory; expected a finished run"):
        Reported.find(run.path)
    run.record.write_text("{", encoding="utf-8")
    with pytest.raises(ReportedError, match="is damaged"):
        Reported.find(run.path)
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(DocumentError, match="pip install 'gellib\\[docx\\]'"):
        write_document([Paragraph("x")], tmp_path / "x.docx")


def test_the_citation_is_of_this_version_and_names_no_person():
    cited = yaml.safe_load((PROJECT_ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == __version__ and cited["license"] == "MIT"
    assert cited["authors"] == [{"name": "gellib contributors"}]
    assert {"cff-version", "message", "title"} <= set(cited)


def test_the_summary_ends_with_the_card_of_the_best_model(early):
    shown, card = Summary(early.path).card(), to_markdown(card_of(Reported.find(early.path)))
    assert shown.replace("\n### ", "\n## ") == card.partition("\n\n")[2]
    source = (PROJECT_ROOT / "notebooks" / "3_summary.ipynb").read_text(encoding="utf-8")
    assert "Markdown(summary.card())" in source


@pytest.mark.parametrize("document", DOCUMENTS)
def test_markdown_has_no_tags_where_names_are_plain(early, document):
    text = to_markdown(DOCUMENTS[document](Reported.find(early.path)))
    assert "<code>" not in text and "</code>" not in text
    assert "`" in text or document == "methods"


@pytest.mark.parametrize("name", ["plain.csv", "a`b", "a|b", "<b>", "a_b", "_a_", "$x$", "größe 2"])
def test_code_is_read_as_it_is_by_eyes_and_by_markdown(name):
    from gellib.base.markup import in_code, with_backticks, without_entities

    shown = with_backticks(in_code(name))
    assert Found(markdown(shown)).text.strip() == name
    assert without_entities(shown) in (name, f"`{name}`")
