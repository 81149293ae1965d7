"""Make a picture of Markdown as GitHub shows it in a comment.

    python scripts/picture.py comment.md comment.png [--open TEXT]

`--open` unfolds the part whose heading has this text.

The Markdown is rendered by markdown-it-py as GitHub Flavored Markdown with alerts, laid out by a
stylesheet that looks like GitHub's, and taken in Debian's Chromium (CHROMIUM names another one).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

WIDTH: Final = 1000  # pixels
_TIMEOUT: Final = 120  # seconds
_ALERT: Final = re.compile(
    r"<blockquote>\s*<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*(.*?)</blockquote>", re.DOTALL
)
_HEIGHT: Final = re.compile(r'data-height="(\d+)"')
_STYLE: Final = """
* { box-sizing: border-box }
body { margin: 0; padding: 16px; background: #fff; color: #1f2328;
  font: 14px/1.5 "Noto Sans", Helvetica, Arial, "DejaVu Sans", sans-serif }
.box { border: 1px solid #d1d9e0; border-radius: 6px }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; border-radius: 6px 6px 0 0;
  padding: 8px 16px; color: #59636e }
.head b { color: #1f2328 }
.head i { border: 1px solid #d1d9e0; border-radius: 2em; font-style: normal; font-size: 12px;
  padding: 0 7px; margin-left: 4px }
.body { padding: 16px; overflow-wrap: break-word }
.body > :first-child { margin-top: 0 } .body > :last-child { margin-bottom: 0 }
h3 { font-size: 17.5px; margin: 20px 0 12px } h4 { font-size: 14px; margin: 20px 0 12px }
p, ul, table, pre, details, .alert { margin: 0 0 14px }
ul { padding-left: 2em }
code { background: #818b981f; border-radius: 6px; padding: .2em .4em; font-size: 85%;
  font-family: "Liberation Mono", "DejaVu Sans Mono", monospace }
pre { background: #f6f8fa; border-radius: 6px; padding: 14px; overflow: hidden; line-height: 1.45 }
pre code { background: none; padding: 0 }
table { border-collapse: collapse; display: block; overflow: hidden; width: max-content;
  max-width: 100% }
th, td { border: 1px solid #d1d9e0; padding: 5px 10px }
th { text-align: left }
tr:nth-child(2n) td { background: #f6f8fa }
summary { cursor: default }
a { color: #0969da; text-decoration: none }
.alert { border-left: .25em solid; padding: 2px 14px }
.alert b { display: block; font-weight: 600 } .alert p { margin: 0 } .alert ul { margin: 4px 0 }
.note { border-color: #0969da } .note b { color: #0969da }
.tip { border-color: #1a7f37 } .tip b { color: #1a7f37 }
.important { border-color: #8250df } .important b { color: #8250df }
.warning { border-color: #9a6700 } .warning b { color: #9a6700 }
.caution { border-color: #cf222e } .caution b { color: #d1242f }
"""
_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>comment</title>
<style>{style}</style></head><body><div class="box">
<div class="head"><b>github-actions</b> <i>bot</i> commented 2 minutes ago</div>
<div class="body">{body}</div></div>
<script>document.body.dataset.height = document.documentElement.scrollHeight</script>
</body></html>
"""


def html(markdown: str, unfold: str | None = None) -> str:
    """The whole page; HTML in the Markdown counts, as on GitHub, where hrctl folds with it."""
    if unfold is not None:
        before, heading, after = markdown.partition(f"{unfold}</code>")
        start = before.rfind("<details>")
        if not heading or start < 0:
            raise ValueError(f"nothing is folded under '{unfold}'")
        markdown = f"{before[:start]}<details open>{before[start + 9 :]}{heading}{after}"
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    body = _ALERT.sub(_alert, renderer.render(markdown))
    return _PAGE.format(style=_STYLE, body=body)


def _alert(found: re.Match[str]) -> str:
    kind, inside = found.groups()
    inside = f"<p>{inside}" if inside.strip() and not inside.lstrip().startswith("</p>") else inside
    inside = inside.replace("</p>", "", 1) if inside.lstrip().startswith("</p>") else inside
    return f'<div class="alert {kind.lower()}"><b>{kind.capitalize()}</b>{inside}</div>'


def take(page: str, picture: Path) -> None:
    """Take a picture of a page, as high as the page is.

    Raises:
        RuntimeError: the browser made none; its last words are in the message.
    """
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if browser is None:
        raise RuntimeError("chromium was not found; CHROMIUM names it")
    # the browser makes sockets there, whose paths must be short
    with tempfile.TemporaryDirectory(prefix="picture-", dir="/tmp") as folder:
        file = Path(folder, "page.html")
        file.write_text(page, "utf-8")
        found = _HEIGHT.search(_chromium(browser, folder, WIDTH, 200, file, "--dump-dom"))
        if found is None:
            raise RuntimeError("chromium did not lay out the page")
        made = Path(folder, "page.png")
        _chromium(browser, folder, WIDTH, int(found.group(1)), file, f"--screenshot={made}")
        if not made.exists():
            raise RuntimeError("chromium took no picture")
        picture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, picture)


def _chromium(  # noqa: PLR0913, PLR0917  # what a browser is told
    browser: str, folder: str, width: int, height: int, page: Path, action: str
) -> str:
    flags = (
        "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
        " disable-component-update disable-sync hide-scrollbars disable-dev-shm-usage"
    )
    done = subprocess.run(  # noqa: S603 - the user's browser
        [
            browser,
            *(f"--{flag}" for flag in flags.split()),
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            action,
            page.as_uri(),
        ],
        env={**os.environ, "TMPDIR": folder},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT,
    )
    if done.returncode:
        raise RuntimeError(f"{browser} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


if __name__ == "__main__":
    source, target, *more = sys.argv[1:]
    unfolded = more[1] if more[:1] == ["--open"] else None
    take(html(Path(source).read_text("utf-8"), unfolded), Path(target))
