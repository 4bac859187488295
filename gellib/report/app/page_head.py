"""What stands above the form of `gellib app`: heading, limits, and a check before an upload."""

from __future__ import annotations

import json
import os

from gellib.report.app.visitor_form import VARIABLE, AppLimits

# A page that nobody has used for so long loses its kernel, of several hundred MB.
IDLE_S = 30 * 60


def page_head() -> str:
    """Return the heading, the style, and the check of sizes before anything is sent."""
    limits = AppLimits(**json.loads(os.environ[VARIABLE])["limits"])
    return f"""
<style>
  body {{ max-width: 900px; margin: 0 auto !important; padding: 0 12px; }}
  .jp-Cell, .jp-OutputArea-output, .widget-box {{ max-width: 100%; overflow-x: auto; }}
  #gellib-refused {{ color: #B00000; font-weight: bold; }}
</style>
<h1 style="font-size:1.5em">What is in these images?</h1>
<p>At most {limits.max_mb:g} MB at once, and {limits.max_mpx:g} megapixels per image. Nobody else
sees your images; they are gone when you close this page, at the latest after
{IDLE_S // 60} minutes without use.</p>
<p id="gellib-refused" role="alert"></p>
<script>
// Voilà ends the kernel of a page that is left, if the request has the token of a cookie that none
// of its pages sets. Any will do: what counts is that another site can neither read nor set it.
if (!/\\b_xsrf=/.test(document.cookie)) {{
  const drawn = [...crypto.getRandomValues(new Uint8Array(16))];
  const token = drawn.map(byte => byte.toString(16).padStart(2, "0")).join("");
  document.cookie = "_xsrf=" + token + "; path=/; SameSite=Strict";
}}
const check = event => {{
  const field = event.target;
  const size = [...field.files].reduce((sum, file) => sum + file.size, 0);
  const refused = size > {limits.max_bytes};
  document.getElementById("gellib-refused").textContent = refused
    ? (size / 1e6).toFixed(1) + " MB are too many: the limit is {limits.max_mb:g} MB at once." : "";
  if (refused) {{ event.stopImmediatePropagation(); field.value = ""; }}
}};
// The field of the upload button is in no document: its own listener comes after this one.
const click = HTMLInputElement.prototype.click;
HTMLInputElement.prototype.click = function () {{
  if (this.type === "file") this.addEventListener("change", check, true);
  click.call(this);
}};
</script>
"""
