"""What a value of an event is, by what docs/reports.md and docs/http-api.md say; and values for made-up events."""

import decimal
import functools
import re

from definitions import FIELDS, argument
from support import text_time

TEXT_MAX = 1024
KEY_MAX = 4096  # bytes, escaped
NUMBER_END = 1 << 53
SQUARE_END = 1 << 40  # of numbers that stddev takes
NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
NO_VALUE = None  # an object or an array stands there

SPLIT = [(each.name, each.decimals, each.places) for each in FIELDS.values()]


@functools.lru_cache(1 << 18)
def read(text, decimals):
    """A field's value: bytes of a text, a number times 10^decimals; None when it is not of its type."""
    if text is NO_VALUE or len(text) > TEXT_MAX:
        return None
    if decimals is None:
        return text
    if not NUMBER.fullmatch(text):
        return None
    with decimal.localcontext(prec=4096, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN):
        number = decimal.Decimal(text.decode()).scaleb(decimals)
        if number != number.to_integral_value() or abs(number) >= NUMBER_END:
            return None
        return int(number)


def resolve(found):
    """{(source, name): text} -> ({field: value or None}, names of the fields that are there and not of their type)."""
    values, unfit = {}, []
    for name, decimals, places in SPLIT:
        values[name] = None
        for place in places:
            if place in found:
                values[name] = read(found[place], decimals)
                if values[name] is None:
                    unfit.append(name)
                break
    return values, unfit


@functools.lru_cache(1 << 18)
def written(number, decimals):
    """The one text of a number: -12.30 for -1230 of two decimals."""
    if not decimals:
        return b"%d" % number
    whole, rest = divmod(abs(number), 10 ** decimals)
    return b"%s%d.%0*d" % (b"-" if number < 0 else b"", whole, decimals, rest)


def text_of(name, value):
    """The bytes of a field's value, as keys, distinct, top and digest have them."""
    return value if FIELDS[name].decimals is None else written(value, FIELDS[name].decimals)


@functools.lru_cache(1 << 18)
def escaped(text):
    """A text in a key at Redis (docs/redis.md)."""
    return re.sub(rb"^\(|[\x00-\x1f\x7f%]", lambda found: b"%%%02X" % found[0][0], text)


@functools.lru_cache(1 << 18)
def shown(text):
    """As JSON has it: characters, \\xNN for a byte that is no UTF-8, \\x5c for a backslash before an x."""
    parts = text.replace(b"\\x", b"\\x5cx").decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xdc00:02x}", parts)


def takes(figure, values):
    """Whether the figure takes the event, which has the field that it needs. Sums are another matter."""
    value = values[argument(figure)]
    return value >= 0 if figure.startswith("p") else abs(value) < SQUARE_END


# ---- made-up values ----

HOSTILE = [b"", b" ", b"(other)", b"(", b"()", b"-", b"[a]", b"a,b", b'"', b'say "x"', b"a=b", b"\\", b"\\x41", b"\\\\x", b"a\\", b"%41",
           b"%", b"a%2", b"x\x1fy", b"x\x1ey", b"\x1f", b"\x01\x02\x03", b"line\nbreak", b"\r\n", b"tab\there", b"\x7f", b"\x1b[31mred",
           b"\xff", b"\xc3", b"\xc3\xa9", b"\xe2\x82", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf0\x9f\x8e\x88", b"\xf4\x90\x80\x80", b"\xc0\xaf",
           b"\xc2\x85", b"\xe2\x80\xae", b"null", b"true", b"{}", b"'", b"<b>", b"&amp;", b"a+b", b"a b", b" a", b"a ", b"count",
           b"\x1fcount", b"x" * 47, b"x" * 48, b"x" * 49, b"x" * 48 + b"y", b"y" * 1024, b"\x01" * 200, b"\x01" * 1024, b"z" * 1025, b"\xff" * 700, b"\x00", b"a\x00b",
           b"w" * 60_000]


def spelled(rnd, number, decimals):
    """A number as somebody may write it."""
    plain = written(number, decimals)
    way = rnd.randrange(12)
    if way == 0:
        return plain + (b".0" if not decimals else b"0")
    if way == 1:
        return plain + b"e0"
    if way == 2 and number >= 0:
        return b"0" + plain
    if way == 3 and number % 10 == 0 and not decimals:
        return b"%de1" % (number // 10)
    if way == 4 and decimals and number % 100 == 0:
        return b"%d" % (number // 100)
    if way == 5 and decimals:
        return b"%dE-2" % number
    return plain


def time_text(rnd, us):
    """(a text that names a time at or just before us, that time)."""
    way = rnd.randrange(10)
    if way < 4:
        return text_time(us).encode(), us
    if way == 4:
        us -= us % 1000
        return text_time(us, 3).replace(" ", "T").encode() + b"Z", us
    if way == 5:
        return text_time(us + 7_200_000_000).encode() + b"+02:00", us
    if way == 6:
        us -= us % 1000
        return text_time(us, 3).replace(".", ",").encode(), us
    if way == 7:
        us -= us % 1000
        return b"%d" % (us // 1000), us
    if way == 8:
        return b"%d%03d" % (us, rnd.randrange(1000)), us
    return b"%d.%06d" % divmod(us, 1_000_000), us
