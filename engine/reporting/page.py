"""The page: style, tables and the frame around the sections."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 20px 60px;max-width:1080px;background:#fff;color:#1f2933;
 font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:2.6rem 0 .4rem;padding-top:.7rem;border-top:1px solid #e3e7ec}
h3{font-size:1rem;margin:1.4rem 0 .3rem}
p{margin:.4rem 0 .8rem;max-width:75ch}
a{color:#0b5fa5}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.6rem 0 1rem;font-size:.92rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(104px,1fr));gap:10px;
 margin:1rem 0;padding:0;list-style:none}
.tiles li{border:1px solid #e3e7ec;border-radius:8px;padding:9px 11px}
.tiles b{display:block;font-size:1.35rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles span,.quiet{color:#5f6b7a;font-size:.86rem}
.next{border-left:4px solid #d9700a;background:#fdf5ec;padding:.6rem .9rem;max-width:none}
.warning{border-left:4px solid #c8332d;background:#fdf0ef;padding:.6rem .9rem;max-width:none}
.grid,.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:10px 24px;
 align-items:start}
.cards{grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:2px 20px}
figure{margin:.6rem 0;min-width:0}
figure svg{display:block;width:100%;height:auto}
figcaption{color:#5f6b7a;font-size:.86rem;margin-top:.3rem}
.cards figure{border:1px solid #e3e7ec;border-radius:8px;padding:10px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:6px}
.scroll{overflow-x:auto}
.scroll svg{display:block}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
svg text:not([fill]){fill:#1f2933}
svg .tick{font-size:12px}
svg .label{font-size:12.5px;font-weight:600}
svg .strong{font-weight:700}
svg text.quiet{fill:#5f6b7a}
svg .halo{paint-order:stroke;stroke:#fff;stroke-width:3px}
svg .id{font-size:11.5px;font-weight:600;paint-order:stroke;stroke:#000;stroke-opacity:.75;stroke-width:2.4px}
svg text.over{font-size:15px;font-weight:600;fill:#fff;paint-order:stroke;stroke:#000;stroke-width:3px}
svg text.small{font-size:12px}
.keys{display:flex;flex-wrap:wrap;gap:.15rem 1rem;max-width:none}
.key{display:inline-flex;align-items:center;gap:.35rem;font-size:.86rem}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;border-bottom:1px solid #e3e7ec}
th{color:#5f6b7a;font-weight:600}
.nowrap{white-space:nowrap}
.why{display:block;min-width:15rem}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th.n{text-align:right}
.bar{display:inline-block;height:.55rem;background:#d9700a;border-radius:2px;vertical-align:middle}
details{margin:.5rem 0}
summary{cursor:pointer}
@media(max-width:600px){.wide{overflow-x:auto}.wide svg{min-width:680px}
 body{padding:14px 12px 40px;font-size:15px}td,th{padding-right:.4rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}h2,h3,h2+p,h3+p{break-after:avoid}
 .grid{grid-template-columns:1fr 1fr}.cards{grid-template-columns:1fr 1fr 1fr}
 .tiles{grid-template-columns:repeat(9,1fr)}
 .tiles b{font-size:1.1rem}figure,tr,.scroll svg{break-inside:avoid}.scroll{overflow:visible}
 .scroll svg{width:100%;height:auto}a{color:inherit}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

Section = tuple[str, str, str]  # anchor, title, HTML


def page(title: str, opening: str, sections: Sequence[Section], closing: str) -> str:
    """A whole HTML document."""
    links = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name, _ in sections)
    body = "".join(
        f'<section id="{anchor}"><h2>{escape(name)}</h2>{content}</section>' for anchor, name, content in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{opening}</header><nav>{links}</nav><main>{body}</main>{closing}</body></html>\n"
    )


def figure(drawing: str, caption: str, wide: bool = False) -> str:
    """A drawing with its caption; a wide one scrolls on narrow screens."""
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def tile_list(tiles: Iterable[tuple[str, str]]) -> str:
    """Numbers in boxes."""
    return f'<ul class="tiles">{"".join(f"<li><b>{escape(n)}</b><span>{escape(w)}</span></li>" for n, w in tiles)}</ul>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: frozenset[int] = frozenset()) -> str:
    """A table; cells are HTML, head is text. numeric : the columns that are set flush right."""
    names = "".join(f"<th{_n(i, numeric)}>{escape(name)}</th>" for i, name in enumerate(head))
    lines = "".join(
        f"<tr>{''.join(f'<td{_n(i, numeric)}>{cell}</td>' for i, cell in enumerate(row))}</tr>" for row in rows
    )
    return f"<div class='scroll'><table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table></div>"


def _n(column: int, numeric: frozenset[int]) -> str:
    return ' class="n"' if column in numeric else ""


def flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested parameters as (dotted name, value) for a table."""
    if isinstance(values, dict) and values:
        return [row for key in values for row in flat(values[key], f"{prefix}.{key}" if prefix else str(key))]
    return [(prefix, json.dumps(values, ensure_ascii=False))] if prefix else []
