"""Appends, reads and follows over gRPC, with stubs that are generated on the spot.

    pip install grpcio-tools==1.85.1
    factlog serve --data bank.db --admin-key-file admin.key      # in another terminal
    FACTLOG_KEY_FILE=admin.key python examples/python/factlog_example.py 127.0.0.1:4270

Every step checks what came back and the program ends with 0 only if all of it was right. FACTLOG_KEY_FILE names a
file with an API key; without it, none is sent.
"""

import importlib
import importlib.resources
import os
import pathlib
import sys
import tempfile
import uuid

import grpc
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "crates/factlog-proto/proto"
FILES = sorted(path.stem for path in PROTO.glob("factlog/v1/*.proto"))
# No step of this example takes longer on a server that is well.
DEADLINE = 30


def stubs(directory):
    """Generates the stubs there; the messages and the service of `factlog.v1`."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={directory}", f"--grpc_python_out={directory}"]
    if protoc.main(arguments + [f"factlog/v1/{name}.proto" for name in FILES]) != 0:
        sys.exit("protoc could not generate the stubs")
    sys.path.insert(0, str(directory))
    modules = {name: importlib.import_module(f"factlog.v1.{name}_pb2") for name in FILES}
    return modules, importlib.import_module("factlog.v1.event_store_pb2_grpc")


def key():
    """The key as metadata of a call, where there is one."""
    path = os.environ.get("FACTLOG_KEY_FILE")
    if not path:
        return []
    return [("authorization", f"Bearer {pathlib.Path(path).read_text().strip()}")]


def must(what, truth):
    if not truth:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def main(address):
    with tempfile.TemporaryDirectory() as directory:
        modules, services = stubs(pathlib.Path(directory))
        with grpc.insecure_channel(address) as channel:
            run(services.EventStoreServiceStub(channel), modules, key())


def run(store, modules, metadata):
    event, append, service = modules["event"], modules["append"], modules["event_store"]
    call = {"metadata": metadata, "timeout": DEADLINE}
    stream = f"account-{uuid.uuid4()}"

    def fact(kind, data):
        # Without a content type it is JSON.
        return event.Event(id=uuid.uuid4().bytes, event_type=kind, data=data, stream=stream)

    def request(events, revision):
        condition = append.RevisionCondition(stream=stream, expected=revision)
        return append.AppendRequest(events=events, conditions=[append.AppendCondition(revision=condition)])

    # The first events of the stream, only if there is none yet.
    opened = [fact("account.opened", b'{"owner":"Ada"}'), fact("account.deposited", b'{"amount":5}')]
    new = append.ExpectedRevision()
    new.no_stream.SetInParent()
    first = store.Append(request(opened, new), **call)
    must("an append is answered with its positions", first.last == first.first + 1 and not first.deduplicated)
    again = store.Append(request(opened, new), **call)
    must("the same append again is written once", again.deduplicated and again.first == first.first)
    try:
        store.Append(request([fact("account.opened", b"{}")], new), **call)
        must("a condition that does not hold is refused", False)
    except grpc.RpcError as error:
        must("a condition that does not hold is refused", error.code() == grpc.StatusCode.ABORTED)

    item = event.QueryItem(stream=stream)
    query = event.Query(any_of=event.QueryItems(items=[item]))
    answers = list(store.Read(service.ReadRequest(query=query), **call))
    read = [recorded for answer in answers for recorded in answer.events]
    must("the snapshot says where it ends", first.last <= answers[0].snapshot.position)
    must("what was appended is read", [one.event for one in read] == opened)

    # What is there, then what comes.
    following = store.Subscribe(service.SubscribeRequest(query=query, after=first.first), **call)
    deliveries = (delivery for answer in following for delivery in answer.deliveries)
    must("a follower gets what is there", next(deliveries).event.event == opened[1])
    must("it is told that this was all", first.last <= next(deliveries).caught_up.position)
    closed = fact("account.closed", b"{}")
    last = store.Append(request([closed], append.ExpectedRevision(at=1)), **call)
    seen = next(delivery.event for delivery in deliveries if delivery.HasField("event"))
    must("it gets what comes", seen.position == last.first and seen.revision == 2 and seen.event == closed)
    following.cancel()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
