"""Points in time as people and programs write them: one reader for deadlines, notes and file names."""

import contextlib
import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from labkit.errors import LabkitError

# nbgrader's file beside what was handed in: when it was.
TIMESTAMP = "timestamp.txt"
_DAY = r"(?P<day>\d{4}-\d\d-\d\d)"
_CLOCK = (
    r"[T_ -](?P<hour>\d\d)(?P<mark>[:.-]?)(?P<minute>\d\d)"
    # 18-30-05 has seconds, 18:30-05 a zone
    r"(?:(?P=mark)(?P<second>\d\d)(?:[.,]\d+)?)?(?!\d)"
)
_OFFSET = r"(?:[ _]?(?P<offset>Z|UTC|[+-]\d\d(?:[:.-]?\d\d)?)(?![A-Za-z\d]))?"
_NAMED = r"(?: (?P<zone>[A-Za-z][\w+/-]*))?"
# A text is all of it the time. A name holds it among other words, so a word after it is no zone.
_TEXT = re.compile(f"{_DAY}(?:{_CLOCK}{_OFFSET}{_NAMED})?")
_IN_NAME = re.compile(f"{_DAY}{_CLOCK}{_OFFSET}")


def moment(text: str) -> datetime:
    """Return a point in time in UTC: `2030-01-31`, `2030-01-31T23:59`, or with a zone.

    A day is its first moment. A zone is `Z`, `+02:00`, `-0500` or a name such as
    `Europe/Berlin`; without one it is UTC.

    Raises LabkitError where the text is none.
    """
    match = _TEXT.fullmatch(text.strip())
    # what has the form may be no day, such as month 13, or none that counts, such as the year 0001
    with contextlib.suppress(ValueError, OverflowError):
        if match:
            return _of(match.groupdict())
    raise LabkitError(
        f"{text!r} is no point in time; expected one such as 2030-01-31T23:59, or with"
        " a zone, 2030-01-31T23:59+01:00"
    )


def moment_in(name: str) -> datetime | None:
    """Return the first point in time in a file's name, `2030-01-31T23-59` or with a zone; None for none."""
    for match in _IN_NAME.finditer(name):
        try:
            return _of(match.groupdict())
        except (ValueError, OverflowError):
            continue
    return None


def _of(parts: dict[str, str | None]) -> datetime:
    """Return the time in UTC; ValueError or OverflowError where there is no such day or hour."""
    clock = [int(parts[name] or 0) for name in ("hour", "minute", "second")]
    day = datetime.fromisoformat(parts["day"] or "")
    local = day.replace(hour=clock[0], minute=clock[1], second=clock[2])
    zone = _zone(parts["offset"], parts.get("zone"))
    return local.replace(tzinfo=zone).astimezone(timezone.utc)


def _zone(offset: str | None, name: str | None) -> tzinfo:
    if name:
        return _named(name)
    if not offset or offset in ("Z", "UTC"):
        return timezone.utc
    sign, digits = offset[0], re.sub(r"\D", "", offset)
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-away if sign == "-" else away)


def _named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise LabkitError(
            f"the zone {name!r} is not known; write one such as Europe/Berlin or +01:00"
        ) from None
