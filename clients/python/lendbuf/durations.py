"""How long, as people write it."""

import re
from datetime import timedelta
from typing import Union

#: Seconds, or "90", "15m", "1h30m", "2d" as on the command line, or a timedelta.
Duration = Union[str, float, timedelta]

UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)\s*")


def milliseconds(duration: Duration) -> int:
    """Raises ValueError where it is no duration, or less than a millisecond."""
    if isinstance(duration, timedelta):
        amount = duration.total_seconds() * 1000
    elif isinstance(duration, str):
        amount = _parse(duration.strip())
    else:
        amount = float(duration) * 1000
    if not 1 <= amount < float("inf"):
        raise ValueError(f"{duration!r} is not a time to come. Write seconds, or '15m', '1h30m', '2d'.")
    return round(amount)


def _parse(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) * 1000
    parts = PART.findall(text)
    if not parts or PART.sub("", text):
        return 0
    return sum(float(count) * UNIT_MS[unit] for count, unit in parts)
