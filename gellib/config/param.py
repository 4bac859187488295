"""What is known of a parameter beside its type, said once, where the field is: `param`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

Stage = Literal["output", "data", "split", "features", "head"]
# In the order in which a run goes through them; `output` changes nothing about what is computed.
STAGES: tuple[Stage, ...] = ("data", "split", "features", "head")


@dataclass(frozen=True)
class Facts:
    """The facts of one parameter.

    Parameters
    ----------
    stage
        The first step of a run that it changes: which images there are (`data`), which of them
        train and test (`split`), what the backbone makes of them (`features`), how the head is
        trained (`head`); or only where files go (`output`).
    label
        What it is called in sentences, tables and figures.
    short
        The same beside a value, where there is little room.
    column
        Its column in a table of runs; another name than its own where a score has that.
    repeat
        Whether runs that differ in it alone are repeats of one configuration.
    factor
        Whether configurations may be compared by it.
    """

    stage: Stage
    label: str
    short: str
    column: str
    repeat: bool = False
    factor: bool = True


def param(
    default: Any,
    *,
    description: str,
    stage: Stage,
    label: str = "",
    short: str = "",
    column: str = "",
    repeat: bool = False,
    factor: bool = True,
    **limits: Any,
) -> Any:
    """Declare a parameter of `RunConfig`: a pydantic field with its `Facts`.

    Parameters
    ----------
    default
        The value where none is given.
    description
        What it is, in some words; shown in the notebook, in the docs and in errors.
    stage, label, short, column, repeat, factor
        See `Facts`; `label` is by default the name in words, `short` the label, `column` the name.
    **limits
        pydantic's own: `gt`, `ge`, `lt`, `le`.
    """
    facts: JsonDict = {
        "stage": stage,
        "label": label,
        "short": short,
        "column": column,
        "repeat": repeat,
        "factor": factor and not repeat and stage != "output",
    }
    return Field(default, description=description, json_schema_extra=facts, **limits)


def read_facts(name: str, field: FieldInfo) -> Facts:
    """Read back what `param` was given.

    Raises
    ------
    TypeError
        For a field that was not declared by `param`, and so has no stage.
    """
    given = field.json_schema_extra
    if not isinstance(given, dict) or given.get("stage") not in (*STAGES, "output"):
        raise TypeError(f"parameter {name!r} has no stage: declare it by param(..., stage=...)")
    known: dict[str, Any] = {fact.name: given[fact.name] for fact in fields(Facts)}
    known["label"] = known["label"] or name.replace("_", " ")
    known["short"] = known["short"] or known["label"]
    known["column"] = known["column"] or name
    return Facts(**known)
