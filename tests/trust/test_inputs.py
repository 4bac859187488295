"""Whatever stands in a file: it is read, or refused by an error of ours with its name."""

import json
import warnings
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making.damaged_files import DECODER_WORDS, ENCODED, damaged
from making.records import make_record

from gellib.config import ConfigError, RunConfig
from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import examine_image, read_image
from gellib.data.imageset import DatasetError
from gellib.data.load import load_imageset
from gellib.data.tables import read_table
from gellib.runs import Record, RunFolder
from gellib.sweeps import SweepError, load_sweep

LIMITS = ImageLimits(max_pixels=4_000_000)


@pytest.mark.slow
@settings(max_examples=5 * settings.default.max_examples)
@given(damaged(list(ENCODED.values())), st.sampled_from(("grey", "rgb")))
def test_an_image_is_read_or_refused(data, color):
    try:
        pixels = read_image(data, color=color, limits=LIMITS, name="a.png")
    except BadImageError as err:
        assert "a.png" in str(err) and not any(word in str(err) for word in DECODER_WORDS), err
    else:
        assert pixels.dtype == np.uint8 and pixels.size > 0
        assert pixels.ndim == 2 if color == "grey" else pixels.shape[2:] == (3,)
        assert pixels.shape[0] * pixels.shape[1] <= LIMITS.max_pixels


@pytest.mark.slow
@given(damaged(list(ENCODED.values())))
def test_a_file_is_described_as_it_is_read(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "described.bin"
    file.write_bytes(data)
    info, pixels = examine_image(file, LIMITS)
    assert (pixels is None) == bool(info.reason) and info.bytes == len(data)
    assert all(value is not None for value in (getattr(info, f.name) for f in fields(info)))


_CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["a.png", "b.png", "gel", "not gel", "", " ", '"', '""', "a\nb", "=1", "nan", "a|b", "a;b"]
    ),
)


@st.composite
def table_files(draw) -> bytes:
    """A table as programs, people and accidents write it."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    header = draw(
        st.lists(
            st.sampled_from(["file", "image", "label", "class", "split", "group", "id", "", "é"]),
            max_size=5,
        )
    )
    rows = [header, *draw(st.lists(st.lists(_CELLS, max_size=6), max_size=8))]
    separator = draw(st.sampled_from(",;\t"))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = end.join(separator.join(row) for row in rows)
    if draw(st.booleans()):
        text = f"sep={separator}{end}{text}"
    coding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]))
    return text.encode(coding, errors="replace")


@pytest.mark.slow
@given(table_files())
def test_a_table_is_read_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "labels.csv"
    file.write_bytes(data)
    try:
        table = read_table(file)
    except DatasetError as err:
        assert "labels.csv" in str(err)
    else:
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


@pytest.mark.slow
@given(table_files(), st.sampled_from(["labels.csv", "classes.csv", "partition.csv", "train.csv"]))
def test_a_folder_with_any_table_is_a_data_set_or_refused(tmp_path_factory, data, name):
    root = tmp_path_factory.mktemp("set")
    for label in ("gel", "not gel"):
        (root / label).mkdir()
        (root / label / "a.png").write_bytes(ENCODED["PNG grey"])
    (root / name).write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            images = load_imageset(root)
        except DatasetError as err:
            assert str(err)
        else:
            assert len(images) >= 1 and len(images.classes) >= 1


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["resnet18", "adam", "dataset/gel", "../x", "1e-3", "none", "rotation(10)"]),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = st.one_of(st.sampled_from(list(RunConfig.model_fields)), st.text(max_size=8))


@pytest.mark.slow
@given(st.dictionaries(_NAMES, _SCALARS, max_size=5))
def test_parameters_are_a_configuration_or_refused(params):
    try:
        config = RunConfig.check(params)
    except ConfigError as err:
        assert str(err)
    else:
        again = RunConfig.check(config.model_dump())
        assert again == config and again.hash() == config.hash()
        # As papermill writes it into a notebook: plain literals.
        assert all(isinstance(v, (str, int, float, bool)) for v in config.model_dump().values())


@st.composite
def sweep_files(draw) -> str:
    """A sweep file: its keys with values of any kind, or text that hardly is YAML."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.text(max_size=200))
    content = {"name": "s", **draw(st.dictionaries(st.text(max_size=6), _VALUES, max_size=1))}
    params = st.dictionaries(_NAMES, _SCALARS, max_size=3)
    likely = {
        "params": params,
        "grid": st.dictionaries(_NAMES, st.lists(_SCALARS, max_size=3), max_size=2),
        "runs": st.lists(params, max_size=3),
        "seeds": st.lists(st.integers(0, 9), max_size=3),
        "folds": st.integers(-1, 6),
        "margin": st.floats(),
        "notebook": st.text(max_size=8),
    }
    for key, values in likely.items():
        if draw(st.booleans()):
            content[key] = draw(values if draw(st.integers(0, 3)) else _VALUES)
    # JSON is YAML, and says of each value what it is.
    return json.dumps(content, ensure_ascii=draw(st.booleans()))


@pytest.mark.slow
@given(sweep_files())
def test_a_sweep_file_is_a_sweep_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        sweep = load_sweep(file)
    except SweepError as err:
        assert str(file) in str(err) and err.exit_status == 2
    else:
        assert sweep.configs and sweep.folder.parent == file.parent
        for name in sweep.configs:
            assert "/" not in name and name not in ("", ".", "..")


@st.composite
def damaged_records(draw) -> bytes:
    """A record with a value of another kind somewhere, or with damaged bytes."""
    record = make_record(RunConfig(), "01-a")
    if draw(st.booleans()):
        return draw(damaged([json.dumps(record).encode()], head=4000))
    place = record
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key]) or draw(st.integers(0, 2)) == 0:
            break
        place = place[key]
    if draw(st.booleans()):
        del place[key]
    else:
        place[key] = draw(_VALUES)
    return json.dumps(record).encode()


@pytest.mark.slow
@given(damaged_records())
def test_a_record_is_read_or_named(tmp_path_factory, data):
    run = RunFolder(tmp_path_factory.getbasetemp() / "run")
    run.path.mkdir(exist_ok=True)
    run.record.write_bytes(data)
    record, problem = run.read_record(), run.unreadable()
    assert (record is None) == (problem is not None)
    if problem is not None:
        assert "record.json" in str(problem)
    else:
        assert isinstance(record, Record)
        # What every table of runs asks of it.
        assert isinstance(record.done, bool) and isinstance(record.scores, dict)
