#!/usr/bin/python3
"""Cases for test/t/022_cron.pl: random schedules, moments and zones with their next due times, as croniter finds them.

Writes lines of: schedule, zone, moment, expected due times, croniter's own answer, kind of difference allowed (tab-separated; times in seconds since
1970, lists with commas).

"expected" is croniter's calendar on local time without a zone, and Python's zoneinfo for what the clocks show: a skipped local time becomes the moment of
the change, a repeated one its first moment, and a moment counts once. croniter's own answer differs from it for known reasons only:

  clock change    croniter has rules of its own around clock changes: it moves a skipped time by the length of the gap, runs a repeated one twice, or loses
                  one, depending on its version.
  day fields      a day field that begins with * but has a step ("*/2"): cron asks for both day fields, croniter for either. Here croniter is asked for both
                  (day_or=False).
  first of March  croniter passes over it where the days of the month have a step ("5-29/3"), seen with its version 1.3.5. A walk from day to day is the
                  arbiter, there only: any other difference between the walk and croniter is left in for the test to find.
  one value       a range of one value ("21-21", "sat-6"): croniter from version 2 on takes it for a range that goes all the way round. Here the value
                  alone is asked for.
  all days        a day field that names every day without a * ("1-31", "0-6"): for cron it is restricted, and being one of two restricted fields every day
                  fits; croniter before version 6 takes it for *. Here the days are left out of the expression.
"""
import random
import sys
from datetime import date, datetime, time, timedelta, timezone
from importlib.metadata import version
from zoneinfo import ZoneInfo

from croniter import croniter

CRONITER = int(version("croniter").split(".")[0])

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1)
ZONES = [ZoneInfo(name) for name in (
    "UTC", "America/Sao_Paulo", "America/New_York", "America/St_Johns", "America/Santiago", "America/Havana", "America/Asuncion", "Europe/Lisbon",
    "Europe/Berlin", "Europe/Dublin", "Europe/Istanbul", "Africa/Casablanca", "Africa/Cairo", "Asia/Tehran", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Gaza",
    "Asia/Pyongyang", "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati", "Antarctica/Troll")]
FIELDS = [(0, 59, []), (0, 23, []), (1, 31, []),
          (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec".split()), (0, 6, "sun mon tue wed thu fri sat".split())]


def item(rng, field):
    low, high, names = FIELDS[field]

    def value(number):
        return rng.choice([names[number - low], names[number - low].upper()]) if names and rng.random() < 0.3 else str(number)

    shape = rng.random()
    if shape < 0.5:
        return value(rng.randint(low, high))
    if shape < 0.6:
        return "*/%d" % rng.randint(1, max(2, (high - low) // 2))
    first = rng.randint(low, high)
    last = rng.randint(first, high)
    if shape < 0.63:
        first, last = low, high
    step = "/%d" % rng.randint(1, 7) if rng.random() < 0.4 else ""
    return value(first) + "-" + value(last) + step


def field_text(rng, field):
    stars = (0.15, 0.3, 0.45, 0.6, 0.5)[field]
    if rng.random() < stars:
        return "*"
    return ",".join(item(rng, field) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def expression(rng):
    if rng.random() < 0.03:
        return rng.choice(["@hourly", "@daily", "@weekly", "@monthly", "@yearly"])
    return " ".join(field_text(rng, field) for field in range(5))


def ends(part, field):
    """First and last value of "a", "a-b" or "a-b/n"."""
    low, _, names = FIELDS[field]
    numbers = [names.index(end) + low if end in names else int(end) for end in part.lower().partition("/")[0].split("-")]
    return numbers[0], numbers[-1]


def values(text, field):
    """The set a field names."""
    low, high, names = FIELDS[field]
    found = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        first, last = (low, high) if span == "*" else ends(span, field)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def without_ranges_of_one(schedule):
    """The same schedule with "21-21" and "21-21/3" written as "21"."""
    if schedule.startswith("@"):
        return schedule
    fields = []
    for field, text in enumerate(schedule.split()):
        parts = []
        for part in text.split(","):
            found = values(part, field)
            parts.append(str(found.pop()) if "-" in part and len(set(ends(part, field))) == 1 else part)
        fields.append(",".join(parts))
    return " ".join(fields)


def for_croniter(schedule):
    """The expression and day_or with which croniter means what cron means, and the kind of difference that this covers."""
    if schedule.startswith("@"):
        return schedule, True, ""
    fields = schedule.split()
    day, weekday = fields[2], fields[4]
    if day == "*" or weekday == "*":
        return schedule, True, ""
    if day.startswith("*") or weekday.startswith("*"):
        return schedule, False, "day fields"
    if len(values(day, 2)) == 31 or len(values(weekday, 4)) == 7:
        fields[2] = fields[4] = "*"
        return " ".join(fields), True, "all days" if CRONITER < 6 else ""
    return schedule, True, ""


def seconds(naive):
    return int((naive - EPOCH).total_seconds())


def offset(zone, moment):
    return int(datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset().total_seconds())


def to_moment(zone, local):
    """The moment at which clocks show `local` (seconds), by zoneinfo alone."""
    naive = EPOCH + timedelta(seconds=local)
    moment = local - int(naive.replace(tzinfo=zone, fold=0).utcoffset().total_seconds())
    if moment + offset(zone, moment) == local:
        return moment
    low, high = moment - 86400, moment
    while high - low > 1:
        middle = (low + high) // 2
        if offset(zone, middle) == offset(zone, moment):
            high = middle
        else:
            low = middle
    return high


def passed_over(schedule, after, found):
    """The first of March that fits between the local times `after` and `found`, seen from day to day; None if there is none, or days have no step."""
    fields = schedule.split()
    if len(fields) < 5 or "/" not in fields[2]:
        return None
    minutes, hours, days, months, weekdays = (values(text, field) for field, text in enumerate(fields))
    if 3 not in months:
        return None
    for year in range(after.year, found.year + 1):
        day = date(year, 3, 1)
        fits = 1 in days, day.isoweekday() % 7 in weekdays
        both = fields[2].startswith("*") or fields[4].startswith("*")
        if not (all(fits) if both else any(fits)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                local = datetime.combine(day, time(hour, minute))
                if after < local < found:
                    return local
    return None


def expected_due(meant, day_or, schedule, zone, moment, count):
    """The due times, and whether croniter passed over one of them."""
    local = EPOCH + timedelta(seconds=moment + offset(zone, moment))
    due, passed = [], False
    while len(due) < count:
        found = croniter(meant, local, day_or=day_or).get_next(datetime)
        before = passed_over(schedule, local, found)
        passed = passed or before is not None
        local = before or found
        at = to_moment(zone, seconds(local))
        if at > (due[-1] if due else moment):
            due.append(at)
    return due, passed


def croniter_due(schedule, zone, moment, count):
    try:
        calendar = croniter(schedule, datetime.fromtimestamp(moment, UTC).astimezone(zone))
        return [int(calendar.get_next(datetime).timestamp()) for _ in range(count)]
    except Exception:  # its own trouble at clock changes
        return []


def transitions(zone, begin, end):
    step = 6 * 3600
    at = begin
    while at < end:
        if offset(zone, at) != offset(zone, at + step):
            yield at + step
        at += step


def main():
    rng = random.Random(int(sys.argv[1]))
    count = int(sys.argv[2])
    begin, end = 946684800, 2082758400  # 2000 to 2035
    changes = {zone.key: list(transitions(zone, begin, end)) for zone in ZONES}
    written = 0
    while written < count:
        schedule = expression(rng)
        zone = rng.choice(ZONES)
        moment = rng.randint(begin, end)
        if changes[zone.key] and rng.random() < 0.5:
            moment = rng.choice(changes[zone.key]) + rng.randint(-30 * 3600, 6 * 3600)
        plain = without_ranges_of_one(schedule)
        meant, day_or, kind = for_croniter(plain)
        if plain != schedule and CRONITER >= 2:
            kind = kind + (", " if kind else "") + "one value"
        try:
            due, passed = expected_due(meant, day_or, schedule, zone, moment, 2)
        except Exception:  # no such date, or none in 50 years
            continue
        if passed:
            kind = kind + (", " if kind else "") + "first of March"
        if any(moment - 2 * 86400 <= change <= due[-1] + 2 * 86400 for change in changes[zone.key]):
            kind = kind + (", " if kind else "") + "clock change"
        own = croniter_due(schedule, zone, moment, 2)
        print(schedule, zone.key, moment, ",".join(map(str, due)), ",".join(map(str, own)), kind, sep="\t")
        written += 1


main()
