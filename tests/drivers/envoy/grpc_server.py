"""A gRPC backend that says its name; started as ``python grpc_server.py PORT NAME``.

Messages are bytes as they are. Of the service shop.Cart: ``Name`` answers with NAME, ``Count`` with
a stream of as many messages as are asked for, ``Echo`` with a stream of what comes, ``Slow``
after so many seconds, and ``Fail`` with the status that is named so many times ("UNAVAILABLE 2"),
then with the number of the try.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

NAME = sys.argv[-1].encode()
TRIES: Counter[bytes] = Counter()


def name(_: bytes, __: Any) -> bytes:
    return NAME


def count(request: bytes, _: Any) -> Iterator[bytes]:
    yield from (b"%d" % number for number in range(int(request)))


def echo(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    yield from requests


def slow(request: bytes, _: Any) -> bytes:
    time.sleep(float(request))
    return request


def fail(request: bytes, context: Any) -> bytes:
    status, times, *_ = request.decode().split()
    TRIES[request] += 1
    if TRIES[request] <= int(times):
        context.abort(grpc.StatusCode[status], "as asked")
    return b"%d" % TRIES[request]


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(8))
    methods = {
        "Name": grpc.unary_unary_rpc_method_handler(name),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
    }
    handler = grpc.method_handlers_generic_handler("shop.Cart", methods)
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()
