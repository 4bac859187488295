"""`python -m gellib`, the same as the command `gellib`."""

from gellib.cli import main

if __name__ == "__main__":
    main(prog_name="gellib")
