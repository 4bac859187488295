"""Texts of cells: those that a spreadsheet would run, and those that it shows."""

FORMULAS = (
    "=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "'=1", "''=1",
    '=HYPERLINK("http://127.0.0.1/","x")', "=1,2", "－1+1", "-x.png", "＝1", "--1", "-", "+",
    "＋1+1", "＠SUM(1)", "'＝1",
)  # fmt: skip
PLAIN = (
    "gel",
    "a=b",
    "not-gel",
    "'",
    "'x'",
    "-1",
    "+1.5",
    "-1e-5",
    "'-1",
    "12 %",
    "-3.5%",
    "",
    "é",
)
