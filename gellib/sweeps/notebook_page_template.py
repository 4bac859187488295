"""What the page of a notebook looks like: its cells for nbconvert, and the page around them."""

from __future__ import annotations

from jinja2 import Template

# For nbconvert: the outputs of cells, and the texts between them.
CELLS_TEMPLATE = """
{%- extends 'display_priority.j2' -%}
{%- from 'celltags.j2' import celltags -%}
{%- block codecell -%}
{%- if cell.outputs %}<section class="cell{{ celltags(cell) }}">{{ super() }}</section>{% endif -%}
{%- endblock -%}
{%- block input_group -%}{%- endblock -%}
{%- block markdowncell %}<section class="cell">{{ cell.source | markdown2html }}</section>
{% endblock -%}
{%- block execute_result -%}{%- block data_priority scoped -%}{{ super() }}{%- endblock -%}
{%- endblock -%}
{%- block stream_stdout %}<pre class="printed">{{ output.text | ansi2html }}</pre>{% endblock -%}
{%- block stream_stderr %}<pre class="printed">{{ output.text | ansi2html }}</pre>{% endblock -%}
{%- block error %}<pre class="printed">{{ super() }}</pre>{% endblock -%}
{%- block traceback_line %}{{ line | ansi2html }}{% endblock -%}
{%- block data_html %}<div class="shown">{{ output.data['text/html'] }}</div>{% endblock -%}
{%- block data_markdown %}<div class="shown">
{{ output.data['text/markdown'] | markdown2html }}</div>
{% endblock -%}
{%- block data_text %}<pre class="printed">{{ output.data['text/plain'] | ansi2html }}</pre>
{% endblock -%}
{%- block data_png %}<figure><img
 src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"
 alt="{{ ((output | get_metadata('alt', 'image/png')) or 'a figure') | escape_html }}"></figure>
{% endblock -%}
"""

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.45 system-ui, sans-serif; color: #222; background: #FFF; margin: 0; }
main { max-width: 1280px; margin: 0 auto; padding: 0 20px 40px; }
h1 { font-size: 1.45em; line-height: 1.25; margin: .5em 0 .4em; overflow-wrap: anywhere; }
h2 { font-size: 1.25em; margin: 1.8em 0 .5em; scroll-margin-top: 48px; }
h3 { font-size: 1.05em; margin: 1.4em 0 .4em; }
p, li { max-width: 90ch; overflow-wrap: anywhere; }
nav { position: sticky; top: 0; z-index: 1; background: #F3F6F9; border-bottom: 1px solid #D5DDE5;
  display: flex; gap: 4px 20px; padding: 6px 20px; overflow-x: auto; white-space: nowrap; }
nav a { color: #00507D; text-decoration: none; font-size: .92em; }
nav a:hover, nav a:focus { text-decoration: underline; }
img { max-width: 100%; height: auto; display: block; }
figure { display: inline-block; vertical-align: top; margin: 10px 16px 10px 0; max-width: 100%; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6em 0; font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; color: #555; font-size: .9em; padding-top: 6px;
  max-width: min(110ch, calc(100vw - 40px)); }
th, td { text-align: right; padding: 4px 8px; }
th { border-bottom: 1px solid #999; vertical-align: bottom; }
tbody tr:nth-child(even) { background: #F7F8FA; }
code, pre { font: .9em/1.4 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.run { color: #555; margin: 14px 0 -6px; }
.printed { background: #F7F8FA; padding: 8px 12px; border-radius: 4px; }
.code { margin-top: 3em; border-top: 1px solid #D5DDE5; padding-top: 1em; }
.code summary { cursor: pointer; color: #00507D; }
.code pre { background: #F7F8FA; padding: 8px 12px; border-radius: 4px; }
@media (min-width: 1000px) {
  .celltag_answer { display: grid; grid-template-columns: minmax(0, 1.75fr) minmax(0, 1fr);
    column-gap: 20px; align-items: start; }
  .celltag_answer > :first-child { grid-column: 1 / -1; }
}
@media (max-width: 600px) { main { padding: 0 12px 24px; } nav { padding: 6px 12px; } }
@media print {
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  nav, .code { display: none; }
  h2, h3 { break-after: avoid; } figure, tr, blockquote { break-inside: avoid; }
  section { orphans: 1; widows: 1; }  /* a figure is a line, which may stand alone */
  p, li { orphans: 2; widows: 2; }
  figure { margin: 4px 8px 4px 0; } figure img { max-height: 92mm; width: auto; }
  figure img.tall { max-height: 190mm; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: 2px 4px; }
  @page { margin: 14mm; }
}
"""

PAGE_TEMPLATE = Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none';
 base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style | safe }}</style></head><body>
<nav aria-label="Contents">
{% for id, text in contents %}<a href="#{{ id }}">{{ text }}</a>
{% endfor %}</nav>
<main>
{% if run %}<p class="run">{{ run }}</p>
{% endif %}{{ body | safe }}
<details class="code"><summary>The code that made this page</summary>
{% for source in code %}<pre>{{ source }}</pre>
{% endfor %}</details>
</main></body></html>
""",
    autoescape=True,
)
PAGE_TEMPLATE.globals["style"] = _STYLE
