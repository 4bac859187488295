"""Texts from outside (names of classes, files, runs; reasons, purposes) in HTML and Markdown.

Everything that a person, a file or a record named passes through here before it stands in a page,
a notebook or a widget, so that `<script>` in a name is shown and never run.
"""

from __future__ import annotations

import html
import re

# What Markdown or a page's typesetting of formulas would act on. Written as entities, or for `$` in
# an element of its own: a formula does not reach across elements.
_MARKDOWN = str.maketrans({c: f"&#{ord(c)};" for c in "`*[]\\|~"} | {"$": "<span>$</span>"})
# An underscore inside a word, as in `not_gel`, is an underscore in Markdown too.
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# Control characters, and the marks that turn the direction of what follows them.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_PLAIN_CODE = re.compile(r"<code>([\w ./:+=,@()-]+)</code>")


def in_html(text: object) -> str:
    """Write a text from outside so that HTML shows it as it is, in elements and in attributes."""
    return html.escape(_UNSEEN.sub("�", str(text)), quote=True)


def in_markdown(text: object) -> str:
    """Write a text from outside so that Markdown, and HTML elements, show it as it is, in one line.

    It is no HTML attribute: for these there is `in_html`.
    """
    line = " ".join(_UNSEEN.sub("�", str(text)).split())
    escaped = html.escape(line, quote=False).translate(_MARKDOWN)
    return _UNDERSCORE.sub("&#95;", escaped)


def in_code(text: object) -> str:
    """Write a text from outside as code, for Markdown and HTML."""
    return f"<code>{in_markdown(text)}</code>"


def as_html(sentence: str) -> str:
    """Turn a sentence with Markdown's bold and code into HTML."""
    sentence = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", sentence)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", sentence)


def as_plain(sentence: str) -> str:
    """Turn a sentence with Markdown's bold and code into plain text, for a terminal."""
    sentence = re.sub(r"\*\*|`|</?(?:span|code)>", "", sentence)
    return html.unescape(sentence)


def with_backticks(sentence: str) -> str:
    """Write code in a sentence as Markdown does, where nothing in it acts on Markdown."""
    return _PLAIN_CODE.sub(r"`\1`", sentence)


def without_entities(text: str) -> str:
    """Write Markdown for a reader's eyes alone: names as they are, without tags around them."""
    return html.unescape(re.sub(r"</?(?:span|code)>", "", text))
