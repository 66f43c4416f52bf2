"""The last hour as a picture: a bar a minute, drawn on the server, renewed by the event stream.

The picture is SVG without a style of its own, so no script draws it and the Content-Security-Policy stays strict. A library
such as uPlot would need a canvas, a script of 50 kB and the numbers twice, for one picture of sixty bars.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ringforge_core.plugin.records import Minute

HEIGHT = 100
STEP = 10
WIDTH = 8
"""Of a bar, in the units of the picture; the next one begins `STEP` further."""


class Bar(msgspec.Struct, frozen=True):
    """The heights of one minute; its messages stand in front of its events, of which they are a part."""

    x: int
    events: float
    messages: float


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """`scale` is the number that its height stands for; `now` is the minute that is not over."""

    bars: Sequence[Bar]
    width: int
    scale: int
    now: Minute
    busiest: Minute
    events: int
    messages: int


def draw(pace: Sequence[Minute]) -> Chart:
    busiest = max(pace, key=lambda minute: minute.events)
    scale = round_up(busiest.events)
    bars = [
        Bar(number * STEP + 1, _height(minute.events, scale), _height(minute.messages, scale))
        for number, minute in enumerate(pace)
        if minute.events
    ]
    return Chart(
        bars=bars, width=STEP * len(pace), scale=scale, now=pace[-1], busiest=busiest,
        events=sum(each.events for each in pace), messages=sum(each.messages for each in pace),
    )  # fmt: skip


def round_up(number: int) -> int:
    """To 1, 2 or 5 times a power of ten, so that a scale is a number that people read; at least 10."""
    power = 10
    while True:
        for digit in (1, 2, 5):
            if number <= digit * power:
                return digit * power
        power *= 10


def _height(number: int, scale: int) -> float:
    """At least so high that it is seen."""
    return max(1.5, round(HEIGHT * number / scale, 1)) if number else 0
