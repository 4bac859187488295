"""Names in figures are cut to what fits, and drawn as they are."""

import pytest
from matplotlib.text import Text

from gellib.plots.base import Chart, literal, short_name


def test_long_names_keep_their_two_ends():
    assert short_name("gel", 5) == "gel"
    assert short_name("not_a_gel_at_all", 7) == "not…all"
    assert short_name(12.5) == "12.5"


@pytest.mark.parametrize("name", ["5$ to 9$", "$x^2$", "a$"])
def test_a_dollar_sign_begins_no_formula(name):
    for text in (literal(name), short_name(name)):
        axes = Chart().subplots()
        drawn: Text = axes.set_title(text)
        shown, is_formula = drawn._preprocess_math(drawn.get_text())
        assert (shown, is_formula) == (name, False)
