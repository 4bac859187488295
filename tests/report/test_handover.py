"""Model cards, methods paragraphs and checklists: every number is on record, names stay text."""

import json
import re
import shutil
import sys
import zipfile
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner
from making.hostile import HOSTILE, Found, markdown
from making.sweeps import make_sweep
from making.trained import KINDS, make_trained_sweep

from gellib import __version__
from gellib.base.markup import as_plain
from gellib.base.paths import PROJECT_ROOT
from gellib.cli import main
from gellib.config import RunConfig
from gellib.plots.base import three_digits
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
from gellib.report.handover.checklist import fill, read_guideline
from gellib.report.handover.document import Paragraph, Verbatim, to_page
from gellib.report.handover.methods import MOST_WORDS, count_words
from gellib.report.summary import Summary
from gellib.runs import RunFolder, SweepFolder

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
    """Make some of a run's predictions out of fold wrong, and a group smaller."""
    for file in (run.out_of_fold, run.predictions):
        if not file.is_file():
            continue
        lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
        place = {name: i for i, name in enumerate(lines[0])}
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
