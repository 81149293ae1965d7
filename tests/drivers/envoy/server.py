"""A backend that says its name and keeps count; started as ``python server.py PORT NAME``.

Paths: ``/status/N`` answers with N, ``/slow/S`` after S seconds, ``/fail/S`` with 503 after them;
``/healthz`` 200 unless told otherwise by ``/sick`` and ``/well``; ``/count`` how many requests
there were. Anything else: NAME.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one packet an answer: two would wait for each other
    name = ""
    count = 0
    sick = False

    def do_GET(self) -> None:
        status, body = 200, self.name
        path = self.path.partition("?")[0]
        if path == "/healthz":
            status = 503 if Handler.sick else 200
        elif path in {"/sick", "/well"}:
            Handler.sick = path == "/sick"
        elif path == "/count":
            body = str(Handler.count)
        else:
            Handler.count += 1
            if path.startswith("/status/"):
                status = int(path.rpartition("/")[2])
            elif path.startswith(("/slow/", "/fail/")):
                status = 200 if path.startswith("/slow/") else 503
                time.sleep(float(path.rpartition("/")[2]))
        data = body.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if __name__ == "__main__":
    Handler.name = sys.argv[2]
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
