"""Texts of messages and figures."""

from gellib.base.text import (
    did_you_mean,
    join_and,
    join_labels,
    join_some,
    labels_of,
    quote_some,
    shorten,
    wrap_line,
)


def test_lists_are_named_in_full_or_in_part():
    assert quote_some(["a", "b"]) == "'a', 'b'"
    assert quote_some(iter("abcde"), 3) == "'a', 'b', 'c' and 2 more"
    assert join_some([1, 2, 3], 2) == "1, 2 and 1 more"
    assert [join_and("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_long_texts_are_cut_to_the_characters_that_fit():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    for most in (5, 6, 7):
        cut = shorten("IMG_2024_0017.png", most, middle=True)
        assert len(cut) == most and cut.startswith("IM") and cut.endswith("g")


def test_a_line_is_broken_at_spaces_and_loses_nothing():
    for text in ("a b", "word " * 50, "  two   spaces " * 9, "x" * 200, "a-b-c " * 40):
        for width in (40, 80, 120):
            lines = wrap_line(text, width, "    ").split("\n")
            assert " ".join(lines).split() == text.split()
            assert max(map(len, lines)) <= width or "x" * 200 in text
            assert all(line.startswith("    ") for line in lines[1:])


def test_the_nearest_word_is_named_where_one_is_near():
    assert did_you_mean("trian", ["train", "val"]) == "did you mean 'train'? "
    assert did_you_mean("zzz", ["train", "val"]) == ""


def test_the_labels_of_an_image_are_one_text_and_back():
    for names in ([], ["a"], ["a", "b c"]):
        assert labels_of(join_labels(names)) == names
