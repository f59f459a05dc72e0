"""Events as requests: by each way that docs/http-api.md names, with their fields in the body, the query string and headers."""

import json
import re
import urllib.parse

from values import NO_VALUE

PLAIN = re.compile(rb"[A-Za-z0-9_./:~-]+")
JSON_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
HEADER_VALUE = re.compile(rb"[!-~]([ -~]*[!-~])?")
FORM, JSON, NDJSON = b"application/x-www-form-urlencoded", b"application/json", b"application/x-ndjson"


class NotJson(Exception):
    """A text that JSON cannot carry."""


def form_text(text):
    return text if PLAIN.fullmatch(text) else urllib.parse.quote_from_bytes(text, "").replace("%20", "+").encode()


def form(parts):
    return b"&".join(name.encode() + b"=" + form_text(text) for name, text in parts)


def json_text(rnd, text):
    if text is NO_VALUE:
        return rnd.choice((b"{}", b"[]", b'{"a":[1]}', b'["x"]'))
    if JSON_NUMBER.fullmatch(text) and rnd.random() < 0.7:
        return text
    if text in (b"true", b"false"):
        return text
    if PLAIN.fullmatch(text):
        return b'"' + text + b'"'
    try:
        return json.dumps(text.decode(), ensure_ascii=rnd.random() < 0.5).encode()
    except UnicodeDecodeError:
        raise NotJson from None


def json_object(rnd, time, parts):
    """One object. Parts of one path twice: the first counts; null is as if it were not there."""
    name = rnd.choice((b"value", b"timestamp", b"@timestamp", b"time", b"date"))
    members = [b'"' + name + b'":' + json_text(rnd, time)]
    for path, text in parts:
        value = json_text(rnd, text)
        *outer, inner = path.encode().split(b".")
        value = b'"' + inner + b'":' + value
        for each in reversed(outer):
            value = b'"' + each + b'":{' + (b'"x":null,' if rnd.random() < 0.1 else b"") + value + b"}"
        members.append(value)
    if rnd.random() < 0.1:
        members.insert(rnd.randrange(len(members) + 1), b'"else":{"ms":[1,"}"],"user":null}')
    if rnd.random() < 0.3:
        members.append(members.pop(0))
    return b"{" + (b"," if rnd.random() < 0.8 else b" , ").join(members) + b"}"


LINE_ESCAPES = {b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n", b"\r": b"\\r"}


def line(rnd, time, parts):
    words = [time]
    for name, text in parts:
        if not PLAIN.fullmatch(text) or rnd.random() < 0.1:
            text = b'"' + re.sub(rb'[\\"\n\r]', lambda found: LINE_ESCAPES[found[0]], text) + b'"'
        words.append(name.encode() + b"=" + text)
    return b" ".join(words)


def request(path, query, headers, kind, body):
    """The bytes of a POST."""
    head = b"POST " + path + (b"?" + query if query else b"") + b" HTTP/1.1\r\nHost: x\r\n"
    head += b"".join(name.encode() + b": " + text + b"\r\n" for name, text in headers)
    if kind:
        head += b"Content-Type: " + kind + b"\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
