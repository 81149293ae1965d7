"""Asks the project's Envoy and counts who answered: ``ask [TIMES] PATH [NAME:VALUE...]``."""

import http.client
import os
import sys
from collections import Counter

words = sys.argv[1:]
times = int(words.pop(0)) if words[0].isdigit() else 1
path, *headers = words
named = dict(one.split(":", 1) for one in headers)
connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT0"]), timeout=30)
found: Counter[str] = Counter()
for _ in range(times):
    connection.request("GET", path, headers=named)
    answer = connection.getresponse()
    body = answer.read().decode()
    found[body if answer.status == 200 else str(answer.status)] += 1
for who, count in sorted(found.items()):
    sys.stdout.write(f"{count} x {who}\n")
