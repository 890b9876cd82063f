# SPDX-License-Identifier: Apache-2.0
"""A figure as SVG: a dot for each round, a bar for the median, a broken line for the mark. Legible on light
and on dark ground; nothing but text and shapes."""
import math
import textwrap
from xml.sax.saxutils import escape

import spread

WIDTH, LEFT, RIGHT, ROW, AXIS, TITLE = 840, 250, 150, 26, 34, 84   # TITLE: letters of a line of it
STYLE = """
.ground{fill:#fff}.text{fill:#1b1f24}.faint{fill:#59636e}.grid{stroke:#d8dee4}.dot{fill:#0969da}
.bar{stroke:#0a3069}.mark{stroke:#bc4c00}.marked{fill:#bc4c00}.met{fill:#1a7f37}.missed{fill:#d1242f}
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}.text{fill:#e6edf3}.faint{fill:#9198a1}
.grid{stroke:#30363d}.dot{fill:#58a6ff}.bar{stroke:#cae8ff}.mark{stroke:#f0883e}.marked{fill:#f0883e}
.met{fill:#3fb950}.missed{fill:#ff7b72}}
text{font:13px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}.title{font-size:16px;font-weight:600}
.small{font-size:11px}.value{font-weight:600}
"""


class Scale:
    """From 0, or by powers of ten where the largest is far from the least."""

    def __init__(self, values):
        most, least = max(values), min(values)
        self.is_log = least > 0 and most / least > 30
        if self.is_log:
            self.low, self.high = math.floor(math.log10(least)), math.ceil(math.log10(most) + 1e-9)
        else:
            step = spread.nice_step(most or 1, 6)
            self.low, self.high, self.step = 0, math.ceil((most or 1) / step - 1e-9) * step, step

    def at(self, value):
        place = math.log10(value) if self.is_log else value
        return LEFT + (place - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        if self.is_log:
            return [10.0 ** power for power in range(self.low, self.high + 1)]
        return [i * self.step for i in range(round(self.high / self.step) + 1)]


def word(x, y, what, kind="text", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(what)}</text>'


def line(x1, y1, x2, y2, kind, more=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" {more}/>'


def tick_text(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.10g}"


def grid(scale, top, bottom, what):
    out = []
    for tick in scale.ticks():
        out += [line(scale.at(tick), top, scale.at(tick), bottom, "grid"),
                word(scale.at(tick), bottom + 15, tick_text(tick), "faint small", "middle")]
    out.append(word(WIDTH - RIGHT + 34, bottom + 15, what, "faint small"))
    return out


def row(scale, y, label, values, shown):
    middle = scale.at(spread.quantile(values, .5))
    return [word(LEFT - 12, y + 4, label, anchor="end"),
            *(f'<circle cx="{scale.at(value):.1f}" cy="{y:.1f}" r="4" class="dot" fill-opacity=".55"/>'
              for value in values),
            line(middle, y - 10, middle, y + 10, "bar", 'stroke-width="2.5"'),
            word(WIDTH - RIGHT + 12, y + 4, shown, "text value")]


def mark(scale, y, ratio):
    """The broken line of one row, and on which side of it the right one is."""
    x = scale.at(ratio["mark"])
    sign = "≤" if ratio["at_most"] else "≥"
    is_right = x < WIDTH - RIGHT - 60
    return [line(x, y - 12, x, y + 12, "mark", 'stroke-width="2" stroke-dasharray="4 3"'),
            word(x + (5 if is_right else -5), y - 5, f"{sign} {tick_text(ratio['mark'])}", "marked small",
                 "start" if is_right else "end")]


def sides(figure, top):
    """The upper panel, and where it ends."""
    rows = [(side["label"], side["values"]) for side in figure["sides"].values() if side["values"]]
    if not rows:
        return [], top
    scale = Scale([value for _, values in rows for value in values])
    bottom, out = top + len(rows) * ROW, []
    for i, (label, values) in enumerate(rows):
        out += row(scale, top + (i + .5) * ROW, label, values, spread.text(spread.quantile(values, .5)))
    return grid(scale, top, bottom, figure["unit"]) + out, bottom + AXIS


def ratios(figure, top):
    rows = [ratio for ratio in figure["ratios"] if ratio["values"]]
    if not rows:
        return [], top
    scale = Scale([value for ratio in rows for value in [*ratio["values"], ratio["mark"] or 1]])
    bottom, out = top + len(rows) * (ROW + 8), []
    for i, ratio in enumerate(rows):
        y = top + (i + .5) * (ROW + 8) + 3
        if ratio["mark"] is not None:
            out += mark(scale, y, ratio)
        out += row(scale, y, ratio["label"], ratio["values"], spread.text(ratio["median"]))
        if ratio["mark"] is not None:
            out.append(word(WIDTH - 12, y + 4, "met" if ratio["is_met"] else "missed",
                            "met value" if ratio["is_met"] else "missed value", "end"))
    return grid(scale, top, bottom, "times") + out, bottom + AXIS


def svg(figure, machine):
    """The text of the file."""
    title = textwrap.wrap(figure["title"], TITLE)
    top = 26 + 20 * len(title)
    upper, y = sides(figure, top + 18)
    lower, y = ratios(figure, y + 8)
    rounds = len(figure["rounds"])
    under = [f"{rounds} rounds in turn; each dot is one, the bar their median", machine]
    if figure["error"]:
        under.append(f"ended early: {figure['error']}"[:120])
    height = y + 16 * len(under) + 6
    body = [f'<rect width="{WIDTH}" height="{height:.0f}" class="ground"/>',
            *(word(16, 26 + 20 * i, text, "text title") for i, text in enumerate(title)),
            word(16, top, f"{figure['unit']}, {figure['better']} is better", "faint"), *upper, *lower,
            *(word(16, y + 8 + 16 * i, text, "faint small") for i, text in enumerate(under))]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img"><title>{escape(figure["title"])}</title><style>{STYLE}</style>\n'
            + "\n".join(body) + "\n</svg>\n")
