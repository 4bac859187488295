"""What `gellib.check` returns: a page in a notebook, text in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gellib.base.markup import in_html

if TYPE_CHECKING:
    from gellib.audit import CheckReport

_PAGE_HEIGHT_PX = 640


class Check:
    """What `check` found; shown as a page in a notebook and as text in a terminal.

    `verdict` has a sentence for each thing that is wrong, `report` everything that was measured.
    """

    def __init__(self, report: CheckReport) -> None:
        self.report = report

    @property
    def verdict(self) -> list[str]:
        """Sentences of what is wrong; empty where nothing was found."""
        return list(self.report.verdict)

    def __repr__(self) -> str:
        from gellib.audit import report_text

        return report_text(self.report)

    def _repr_html_(self) -> str:
        from gellib.audit import render_page

        # A frame keeps the page's style from the notebook's, and the notebook's from the page's.
        return (
            f'<iframe title="What gellib found" width="100%" height="{_PAGE_HEIGHT_PX}" '
            f'style="border:1px solid #ccc" srcdoc="{in_html(render_page(self.report))}">'
            "</iframe>"
        )
