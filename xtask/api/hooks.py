"""Teaches Schemathesis NDJSON, both ways: a list is written as an item a line, and read so. And to leave its own key alone."""

import json
import os

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def write(context, value):
    if isinstance(value, (bytes, str)):
        return value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
    items = value if isinstance(value, list) else [value]
    return "".join(json.dumps(item) + "\n" for item in items).encode()


@schemathesis.deserializer("application/x-ndjson")
def read(context, response):
    return [json.loads(line) for line in response.content.decode().splitlines()]


@schemathesis.hook
def before_call(context, case, kwargs):
    # What it finds in one answer it tries elsewhere: without this it revokes the key by which it asks, and sees nothing more.
    own = {"id": os.environ.get("FACTLOG_OWN_KEY_ID"), "name": "admin"}
    for name, value in own.items():
        if case.path_parameters and case.path_parameters.get(name) == value:
            case.path_parameters[name] = "nobody"
