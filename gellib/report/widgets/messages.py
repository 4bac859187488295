"""Messages of the forms as HTML: warnings, errors, and what is being waited for."""

from __future__ import annotations

from gellib.base.markup import in_html


def box(text: str) -> str:
    """Return a warning or an error as HTML, in a frame; screen readers say it at once."""
    style = (
        "border-left:8px solid #D55E00;background:#FFF1E6;color:#222;padding:8px 14px;"
        "margin:8px 0;max-width:720px;line-height:1.4;overflow-wrap:anywhere"
    )
    return f"<div role='alert' style='{style}'>{text}</div>"


def busy(text: str, done: int = 0, total: int = 0) -> str:
    """Return as HTML what is being waited for, with a bar that moves."""
    value = f" value='{done}' max='{total}'" if total else ""
    return (
        f"<div role='status' style='margin:8px 0'><progress{value} aria-hidden='true'></progress>"
        f" {in_html(text)}</div>"
    )
