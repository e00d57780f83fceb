"""Teaches Schemathesis NDJSON, both ways: a list is written as an item a line, and read so."""

import json

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
