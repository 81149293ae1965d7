"""A client of the real `yaml-language-server`, over its protocol on standard input and output."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final, Self

import pytest

MODULE: Final = Path(__file__).parents[1] / "node/node_modules/yaml-language-server"
_PATIENCE: Final = 60.0  # seconds; the machine may be busy


class LanguageServer:
    """One server with one workspace folder; answers are plain JSON values.

    Places are as in the protocol: lines and characters from 0.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self._folder = folder
        self._settings = {"validate": True, "hover": True, "completion": True} | dict(
            settings or {}
        )
        self._process = subprocess.Popen(
            ["node", str(MODULE / "bin/yaml-language-server"), "--stdio"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._inbox: Queue[dict[str, Any] | None] = Queue()
        self._waiting: deque[dict[str, Any]] = deque()
        self._next = 0
        Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        root = self._folder.as_uri()
        self._request(
            "initialize",
            {
                "processId": None,
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": "work"}],
                "capabilities": {
                    "textDocument": {
                        "hover": {"contentFormat": ["markdown"]},
                        "completion": {
                            "completionItem": {
                                "snippetSupport": True,
                                "documentationFormat": ["markdown"],
                            }
                        },
                    },
                    "workspace": {"configuration": True},
                },
            },
        )
        self._notify("initialized", {})
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, files: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        """Show the server files, which need not exist; what it finds wrong with each."""
        names = {self._uri(name): name for name in files}
        for name, text in files.items():
            document = {"uri": self._uri(name), "languageId": "yaml", "version": 1, "text": text}
            self._notify("textDocument/didOpen", {"textDocument": document})
        found: dict[str, list[dict[str, Any]]] = {}
        while found.keys() != files.keys():
            message = self._receive()
            if message.get("method") == "textDocument/publishDiagnostics":
                told = message["params"]
                if told["uri"] in names:
                    found[names[told["uri"]]] = told["diagnostics"]
        return found

    def hover(self, name: str, line: int, character: int) -> str:
        """The Markdown that an editor shows beside the mouse."""
        answer = self._request("textDocument/hover", self._place(name, line, character))
        return str(answer["contents"]["value"]) if answer else ""

    def complete(self, name: str, line: int, character: int) -> dict[str, dict[str, Any]]:
        """What an editor offers, by label."""
        answer = self._request("textDocument/completion", self._place(name, line, character))
        return {one["label"]: one for one in answer["items"]}

    def _uri(self, name: str) -> str:
        return (self._folder / name).as_uri()

    def _place(self, name: str, line: int, character: int) -> dict[str, Any]:
        position = {"line": line, "character": character}
        return {"textDocument": {"uri": self._uri(name)}, "position": position}

    def _notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _request(self, method: str, params: Any) -> Any:
        self._next += 1
        number = self._next
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message that is not a request to us; those are answered here."""
        while True:
            try:
                message = self._inbox.get(timeout=_PATIENCE)
            except Empty:
                raise TimeoutError("the language server says nothing") from None
            if message is None:
                raise EOFError("the language server has ended")
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": self._answer(message)})
            else:
                return message

    def _answer(self, message: Mapping[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [
            self._settings if item.get("section") == "yaml" else {}
            for item in message["params"]["items"]
        ]

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream
        while True:
            length = 0
            while (line := stream.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if not length:
                self._inbox.put(None)
                return
            self._inbox.put(json.loads(stream.read(length)))


@pytest.fixture(scope="session")
def language_server() -> type[LanguageServer]:
    """The class, where the server can run; with it a test starts one."""
    if not MODULE.is_dir() or shutil.which("node") is None:
        pytest.skip("needs node and yaml-language-server: make dev")
    return LanguageServer
