"""A parameter that is given twice on the command line."""

import pytest
from click.testing import CliRunner

from gellib.cli import main


@pytest.mark.parametrize("command", ["sweep", "status"])
@pytest.mark.parametrize("second", ["4", "3"])
def test_a_parameter_given_twice_is_refused(command, second):
    given = ["-p", "num_epochs", "3", "-p", "seed", "1", "-p", "num_epochs", second]
    result = CliRunner().invoke(main, [command, "runs/gel.yaml", *given])
    assert result.exit_code == 2 and "num_epochs is given twice" in result.output
