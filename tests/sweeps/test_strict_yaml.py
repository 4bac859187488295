"""A sweep file means what its author meant, or is refused in one sentence."""

import pytest
from click.testing import CliRunner

from gellib.cli import main
from gellib.sweeps import SweepError, load_sweep
from gellib.sweeps.repeats import TooManyRunsError
from gellib.sweeps.strict_yaml import StrictYamlError, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E-3", 0.001), ("1.5e3", 1500.0), ("-2e+1", -20.0), (".5", 0.5),
        ("1.", 1.0), ("10", 10), ("-3", -3), ("0", 0), ("1_000", 1000), ("0.01", 0.01),
        ("true", True), ("False", False), ("~", None), ("null", None), ("2024-01-01", "2024-01-01"),
        ("'010'", "010"), ("'yes'", "yes"), ('"no"', "no"), ("nothing", "nothing"), ("=", "="),
        ("1e", "1e"), ("head", "head"), ("last:2", "last:2"),
    ],
)  # fmt: skip
def test_values(text, value):
    got = read_yaml(f"a: {text}")["a"]
    assert got == value and type(got) is type(value)


NESTED = "a: " + "[" * 50 + "]" * 50
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]"
                                        for i in range(1, 9))])  # fmt: skip
BAD = {
    "a: 1\nb: 2\na: 3\n": "'a' stands in line 1 and again in line 3",
    "p: {x: 1, 'x': 2}": "'x' stands in line 1 and again in line 1",
    "r:\n- {a: 1,\n   a: 2}": "'a' stands in line 2 and again in line 3",
    "a: 010": "line 1 has 010",
    "a: 0x1F": "line 1 has 0x1F",
    "a: 1:30": "line 1 has 1:30",
    "a: [yes, no]": "line 1 has yes",
    "a: Off": "line 1 has Off",
    "a: .inf": "line 1 has .inf",
    "a: -.INF": "line 1 has -.INF",
    "a: .NaN": "line 1 has .NaN",
    "a: 1:30.5": "line 1 has 1:30.5",
    "a: 1_0.5": "line 1 has 1_0.5",
    "1: a\n1.0: b": "'1.0' stands in line 1 and again in line 2",
    "1000: a\n1_000: b": "'1_000' stands in line 1 and again in line 2",
    "true: a\nTrue: b": "'True' stands in line 1 and again in line 2",
    "~: a\nnull: b": "'null' stands in line 1 and again in line 2",
    "\u00e9: a\ne\u0301: b": "again in line 2",
    "a: 1e999": "no finite number",
    NESTED: "nested deeper than 20",
    "a: " + "[" * 100_000: "nested deeper than 20",
    "- " * 60 + "x": "nested deeper than 20",
    BOMB: "more than 100,000 values",
    "a: &x [*x]": "refers to itself",
    "a: *x": "undefined alias",
    "a: !!python/object:os.system {}": "tags are not read",
    "a: !!set {x, y}": "tags are not read",
    "a: !": "tags are not read",
    "a: ! 010": "tags are not read",
    "? [a, b]\n: 1": "a key that is no name",
    "a: \x01b": "a control character in line 1",
    'b: 1\na: "\\0"': "a control character in line 2",
    "a: 1\n---\nb: 2": "but found another document in line 2",
    "a: [1": "line 1",
    "a: " + "9" * 5000: "it cannot be read",
    "#" * 1_000_001: "at most 1,000,000",
    "a: 'x": "line 1",
    "\ta: 1": "line 1",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_refused_and_where(text):
    with pytest.raises(StrictYamlError) as caught:
        read_yaml(text)
    assert BAD[text] in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED = {
    "name: s\nruns: [{like: [a]}]": "`like: ['a']`, which is no earlier run",
    "name: s\nruns: [{like: {a: 1}}]": "which is no earlier run",
    "name: s\nruns: [{name: a}, {name: a, seed: 1}]": "two runs are called 'a'",
    "name: s\ngrid: {seed: [0, 1]}\nseeds: [3, 4]": "'seed' is varied by `grid` or `runs`",
    "name: s\nruns: [{seed: 0}]\nseeds: [3, 4]": "'seed' is varied by `grid` or `runs`",
    "name: s\ngrid: {fold: [0, 1]}\nfolds: 3": "'fold' is varied by `grid` or `runs`",
    "name: s\nseeds: [3, 3]": "3 stands twice",
    "name: s\ngrid: {pretrained_model: [resnet18, resnet18]}": "the same run twice",
    "name: s\nruns: [{name: a, batch_size: 4}, {name: b, batch_size: 4}]": "are the same run",
    "name: s\ngrid: {batch_size: [23, 4]}\nruns: [{name: c}]": "are the same run",
    "name: s\nseeds: [99999999999999999999]": "less than or equal to",
    "name: s\nseeds: [-1]": "greater than or equal to 0",
    "name: s\nseeds: [true]": "valid integer",
    "name: s\nseeds: ['3']": "valid integer",
    "name: 3": "valid string",
    "name: s\nparams: {1: 2}": "valid string",
    "name: s\nparams: {dataset_dir: [a]}": "valid string",
    "1: 2": "keys must be",
    "": "expected keys such as",
    "[]": "expected keys such as",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_wrong_files_are_refused_with_status_2(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(SweepError, match="s.yaml") as caught:
        load_sweep(file)
    assert REFUSED[text] in str(caught.value)
    for command in (["sweep", "--dry-run"], ["status"]):
        result = CliRunner().invoke(main, [*command, str(file)])
        assert result.exit_code == 2 and result.output.startswith("Error: ")


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "/abs", "../up", "a\\b", "~", "~me", "'a:b'", "''", "' '", "'a '",
             "a?", ".hidden", "x" * 200, "CON", "nul.txt", "com1", "\u202eabc", "a\u200bb"],
)  # fmt: skip
def test_a_name_stays_in_its_folder(tmp_path, name):
    (tmp_path / "s.yaml").write_text(f"name: {name}\n")
    with pytest.raises(SweepError):
        load_sweep(tmp_path / "s.yaml")


@pytest.mark.parametrize("name", ["gel", "my gel", "Gele_2", "凝胶", "v1.2", "a-b"])
def test_names_that_are_folders(tmp_path, name):
    (tmp_path / "s.yaml").write_text(f"name: {name}\n", encoding="utf-8")
    assert load_sweep(tmp_path / "s.yaml").folder == tmp_path / name


def test_a_large_grid_asks(tmp_path):
    file = tmp_path / "s.yaml"
    lists = "[" + ", ".join(map(str, range(1, 102))) + "]"
    file.write_text(f"name: s\ngrid: {{batch_size: {lists}, num_epochs: {lists}}}\n")
    with pytest.raises(TooManyRunsError, match=r"it has 10,201 runs, .* --yes"):
        load_sweep(file)
    assert CliRunner().invoke(main, ["sweep", "--dry-run", str(file)]).exit_code == 2
    assert load_sweep(file, overrides={"batch_size": 3}).configs
    huge = "\n".join(f"  {name}: {lists}" for name in ("batch_size", "num_epochs", "folds", "seed"))
    file.write_text(f"name: s\ngrid:\n{huge}\n")
    with pytest.raises(TooManyRunsError, match="104,060,401 runs"):
        load_sweep(file)


@pytest.mark.parametrize("data", [b"name: s\0", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_files_that_are_no_text(tmp_path, data):
    (tmp_path / "s.yaml").write_bytes(data)
    result = CliRunner().invoke(main, ["sweep", "--dry-run", str(tmp_path / "s.yaml")])
    assert result.exit_code == 2 and "is not YAML" in result.output


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    (tmp_path / "s.yaml").write_bytes("name: s\r\npurpose: für Gele\r\n".encode(encoding))
    assert load_sweep(tmp_path / "s.yaml").purpose == "für Gele"


def test_folders_of_users_that_there_are_not(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("name: s\nparams: {dataset_dir: ~nouser/x}\n")
    assert load_sweep(file).missing_folders() == ["~nouser/x"]
    result = CliRunner().invoke(main, ["list", str(tmp_path)])
    assert result.exit_code == 0 and "(not there)" in result.output
    for command in (["check", "~nouser"], ["sweep", "--dry-run", "~nouser/s.yaml"]):
        assert CliRunner().invoke(main, command).exit_code == 2


@pytest.mark.parametrize("text", ['a: "\\ud800"', '"\\ud83d\\ude00": 1', '[{a: "x\\udfff"}]'])
def test_half_a_character_is_refused(text):
    with pytest.raises(StrictYamlError, match="line 1 has half a character"):
        read_yaml(text)
