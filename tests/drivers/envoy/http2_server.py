"""A backend that speaks HTTP/2 only, without TLS; ``python http2_server.py PORT``.

Every request is answered with 200 and no body. Who does not begin as HTTP/2 says is cut off.
"""

from __future__ import annotations

import sys
from socketserver import StreamRequestHandler, ThreadingTCPServer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING = 1, 4, 6
ACK = END_STREAM = 1
END_HEADERS = 4
STATUS_200 = b"\x88"  # in the static table of RFC 7541


class Handler(StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.read(len(PREFACE)) != PREFACE:
            return
        self._frame(SETTINGS, 0, 0)
        while head := self.rfile.read(9):
            size, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
            stream = int.from_bytes(head[5:]) & 0x7FFFFFFF
            data = self.rfile.read(size)
            if kind == SETTINGS and not flags & ACK:
                self._frame(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                self._frame(PING, ACK, 0, data)
            elif kind == HEADERS:
                self._frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)

    def _frame(self, kind: int, flags: int, stream: int, data: bytes = b"") -> None:
        head = len(data).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4)
        self.wfile.write(head + data)


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
