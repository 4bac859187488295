"""`python -m gellib`, the same as the command `gellib`."""

import sys

from gellib.base.stopping import stopped_at_once


def run() -> None:
    """Run the command, which may be stopped while it is imported, too."""
    with stopped_at_once(resumes=sys.argv[1:2] == ["sweep"]):
        from gellib.cli import main

        # Once it does more than to import, it handles signals itself.
        main(prog_name="gellib")


if __name__ == "__main__":
    run()
