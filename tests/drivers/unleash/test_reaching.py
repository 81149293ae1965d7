"""An Unleash that is hard to reach: away, behind TLS, busy, or with answers that get lost."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyrage
import pytest

from hrctl.drivers.api import Result
from hrctl.drivers.contract import ContractSecrets
from hrctl.model.address import Address
from hrctl.model.plan import Action
from tests.drivers.supervisor.conftest import free_ports
from tests.drivers.unleash.project import TOKEN, UnleashProject
from tests.drivers.unleash.server import ADMIN, CLIENT, Unleash
from tests.drivers.unleash.test_driver import EXPRESS, GRADUAL, change, done, live, make

FLAG = "{type: BOOLEAN, status: ENABLED, hash: unleash}"
Fault = Callable[[str, str], Any]  # a status with headers, "lost", or None


class Front:
    """A proxy before an Unleash that does to some requests what a network does."""

    def __init__(self, unleash: Unleash, trust: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[float, str, str]] = []
        self.away = False
        self.fault: Fault = lambda _method, _path: None
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _pass(self) -> None:
                if front.away:
                    self.close_connection = True
                    self.connection.close()
                    return
                front.asked.append((time.monotonic(), self.command, self.path))
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = front.fault(self.command, self.path)
                if isinstance(fault, tuple):
                    self._answer(fault[0], b"{}", fault[1])
                    return
                inner = http.client.HTTPConnection("127.0.0.1", unleash.port, timeout=30)
                inner.request(self.command, self.path, body or None, dict(self.headers.items()))
                got = inner.getresponse()
                held = got.read()
                inner.close()
                if fault == "lost":  # done, and the answer never comes
                    self.close_connection = True
                    self.connection.close()
                    return
                self._answer(got.status, held, {})

            def _answer(self, status: int, held: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(held)))
                self.end_headers()
                self.wfile.write(held)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if trust is not None:
            self._server.socket = trust.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if trust else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def once(self, method: str, end: str, *faults: Any) -> None:
        """Do these, one after the other, to requests whose path ends like this."""
        left = list(faults)

        def fault(asked: str, path: str) -> Any:
            matches = asked == method and path.endswith(end)
            return left.pop(0) if matches and left else None

        self.fault = fault

    def stop(self) -> None:
        """Take no request any more, on connections that are open neither."""
        self.away = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def front(unleash: Unleash) -> Iterator[Front]:
    made = Front(unleash)
    yield made
    made.stop()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)


@dataclass
class Authority:
    """A certificate authority of our own."""

    folder: Path
    ca: Path

    @classmethod
    def create(cls, folder: Path, *extensions: str) -> Authority:
        """Issue the certificate of an authority with these extensions, and no others."""
        config = folder / "authority.cnf"
        lines = ["[req]", "distinguished_name=name", "x509_extensions=authority", "[name]"]
        config.write_text("\n".join([*lines, "[authority]", *extensions]) + "\n")
        ca = folder / "ca.pem"
        _openssl(
            *(*_NEW, "-x509", "-days", "1", "-subj", "/CN=ours", "-config", config),
            *("-keyout", folder / "ca.key", "-out", ca),
        )
        return cls(folder, ca)

    def server(self, name: str = "IP:127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """Issue a certificate for a server of this name, valid for so many days from now on."""
        key, request = self.folder / "key.pem", self.folder / "request.pem"
        certificate, extensions = self.folder / "server.pem", self.folder / "server.cnf"
        extensions.write_text(f"subjectAltName={name}\nauthorityKeyIdentifier=keyid\n")
        _openssl(*_NEW, "-subj", "/CN=unleash", "-keyout", key, "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key"),
            *("-days", str(days), "-CAcreateserial", "-extfile", extensions, "-out", certificate),
        )
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificate, key)
        return trust


_NEW = ("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
# Without the key usage Python 3.13 takes no authority (VERIFY_X509_STRICT).
_EXTENSIONS = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority that every Python takes."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return Authority.create(tmp_path, *_EXTENSIONS)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("method", "end", "faults"),
    [
        ("POST", "/playground/advanced", [(503, {}), (500, {})]),
        ("GET", "/default/features", [(429, {"retry-after": "0"}), "lost"]),
        ("POST", "/features", ["lost"]),
        ("POST", "/features", [(429, {}), (502, {})]),
        ("POST", "/strategies", ["lost"]),
        ("POST", "/strategies", [(504, {}), "lost"]),
        ("POST", "/on", ["lost", (502, {})]),
    ],
)
def test_a_create_survives_the_network(
    front: Front, tmp_path: Path, method: str, end: str, faults: list[Any]
) -> None:
    """Whatever gets lost: one feature with one strategy is there, once."""
    front.once(method, end, *faults)
    with make(front.url, tmp_path) as driver:
        done(driver, EXPRESS, GRADUAL)
        front.fault = lambda _method, _path: None
        assert live(driver)["rollout"]["percentage"] == 10
        (found,) = driver.scan()
        assert found.address == EXPRESS


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("method", "end"), [("PATCH", "/features/express"), ("PUT", ""), ("POST", "/off")]
)
def test_an_update_survives_the_network(
    front: Front, tmp_path: Path, method: str, end: str
) -> None:
    with make(front.url, tmp_path) as driver:
        done(driver, EXPRESS, GRADUAL)
        wanted = {**GRADUAL, "rollout": {"strategy": "GRADUAL", "percentage": 60}}
        wanted["status"] = "DISABLED"
        front.once(method, end, "lost")
        done(driver, EXPRESS, wanted)
        assert any(asked == method and path.endswith(end) for _, asked, path in front.asked)
        assert live(driver)["rollout"]["percentage"] == 60
        assert live(driver)["status"] == "DISABLED"
        front.once("DELETE", "/features/express", "lost")
        done(driver, EXPRESS, None)
        assert list(driver.scan()) == []


@pytest.mark.usefixtures("token")
def test_it_waits_as_long_as_it_is_asked_to(front: Front, tmp_path: Path) -> None:
    front.once("GET", "/environments", (429, {"Retry-After": "1"}))
    with make(front.url, tmp_path):
        first, second = (at for at, _, path in front.asked if path.endswith("/environments"))
    assert second - first >= 1


@pytest.mark.usefixtures("token")
def test_who_wrote_meanwhile_is_not_written_over(
    unleash: Unleash, front: Front, tmp_path: Path
) -> None:
    """Between the look at a feature and the mark, somebody changes the description."""
    with make(front.url, tmp_path) as driver:
        done(driver, EXPRESS, GRADUAL)
        wanted = change(driver, EXPRESS, {**GRADUAL, "status": "DISABLED"})

        def fault(method: str, _path: str) -> None:
            if method == "PATCH":
                path = "/api/admin/projects/default/features/express"
                text = unleash.call("GET", path)["description"] + "\nBelow."
                patch = [{"op": "replace", "path": "/description", "value": text}]
                unleash.call("PATCH", path, patch)

        front.fault = fault
        (outcome,) = driver.apply([wanted], ContractSecrets())
        assert outcome.result is Result.STALE
        assert outcome.error
        assert outcome.error.code == "HR084"
        front.fault = lambda _method, _path: None
        assert live(driver)["status"] == "ROLLOUT"


@pytest.mark.usefixtures("token")
def test_an_unleash_that_stays_busy_is_told(front: Front, tmp_path: Path) -> None:
    with make(front.url, tmp_path) as driver:
        made = change(driver, EXPRESS, GRADUAL)
        front.fault = lambda method, _path: (503, {}) if method == "POST" else None
        (outcome,) = driver.apply([made], ContractSecrets())
        assert outcome.result is Result.FAILED
        assert outcome.error
        assert "(503)" in outcome.error.summary


def test_tls_with_an_authority_of_our_own(
    project: UnleashProject, unleash: Unleash, authority: Authority
) -> None:
    shutil.copy(authority.ca, project.root / "ca.pem")
    project.flag(FLAG)
    front = Front(unleash, authority.server())
    try:
        project.configure(front.url)
        assert project.fails("plan") == 1
        assert "HR080" in project.err
        assert "caFile" in project.err
        project.configure(front.url, more="      caFile: ca.pem\n")
        project.hrctl("apply", "--yes")
        assert "No changes." in project.hrctl("plan")
        project.configure(front.url, more="      caFile: hrctl.yaml\n")
        assert project.fails("plan") == 1
        assert "cannot read the certificates" in project.err
    finally:
        front.stop()


def _refused_with(
    project: UnleashProject, unleash: Unleash, authority: Authority, trust: ssl.SSLContext
) -> str:
    """Plan against a server that the authority in `caFile` does not vouch for as it should."""
    shutil.copy(authority.ca, project.root / "ca.pem")
    project.flag(FLAG)
    front = Front(unleash, trust)
    try:
        project.configure(front.url, more="      caFile: ca.pem\n")
        assert project.fails("plan") == 1
    finally:
        front.stop()
    assert "HR080" in project.err
    assert "caFile" not in project.err
    return project.err


def test_a_certificate_for_another_host_is_no_matter_of_the_authority(
    project: UnleashProject, unleash: Unleash, authority: Authority
) -> None:
    trust = authority.server("DNS:unleash.example")
    assert "the host that its certificate is for" in _refused_with(
        project, unleash, authority, trust
    )


def test_a_certificate_that_has_ended_is_to_be_renewed(
    project: UnleashProject, unleash: Unleash, authority: Authority
) -> None:
    trust = authority.server(days=-1)
    assert "renew its certificate" in _refused_with(project, unleash, authority, trust)


def test_an_authority_without_key_usage_is_to_be_issued_anew(
    project: UnleashProject, unleash: Unleash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ssl.create_default_context

    def strict(*, cafile: str) -> ssl.SSLContext:
        context = usual(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python has it from 3.13 on
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority.create(tmp_path, _EXTENSIONS[0], _EXTENSIONS[2])
    refusal = _refused_with(project, unleash, authority, authority.server())
    assert "issue the certificates" in refusal


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("down", "HR080"),
        ("wrong", "HR265"),
        ("client", "HR265"),
        ("missing", "HR265"),
        ("project", "HR266"),
        ("environment", "HR266"),
    ],
)
def test_one_diagnostic_and_nothing_written(
    project: UnleashProject,
    unleash: Unleash,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    code: str,
) -> None:
    project.flag(FLAG)
    tokens = {"wrong": "wrong-token", "client": CLIENT, "missing": ""}
    monkeypatch.setenv("UNLEASH_TOKEN", tokens.get(said, ADMIN))
    if said == "down":
        project.configure(f"http://127.0.0.1:{free_ports()}")
    elif said == "project":
        project.configure(unleash.url, more="      projects: {acme: shop}\n")
    elif said == "environment":
        project.configure(unleash.url, more="      environments: {dev: staging}\n")
    before, head = project.read("dev/express.yaml"), project.git("rev-parse", "HEAD")
    edit = ["flag", "disable", "express", "--commit", "--apply", "--yes"]
    for verb in (["plan"], ["apply", "--yes"], edit):
        assert project.fails(*verb) == 1
        assert project.err.count(code) == 2  # and where to read on
        assert "1 error." in project.err
        for token in tokens.values():
            assert not token or token not in project.err + project.out
    features = unleash.call("GET", "/api/admin/projects/default/features")["features"]
    assert features == []
    assert project.read("dev/express.yaml") == before
    assert project.git("rev-parse", "HEAD") == head
    addresses = [one["address"] for one in project.json("state", "list")["entries"]]
    assert not [one for one in addresses if "FeatureFlag" in one]


@pytest.mark.usefixtures("token")
def test_an_unleash_that_goes_away_in_an_apply(tmp_path: Path, unleash: Unleash) -> None:
    """What was not asked for any more fails, each with its diagnostic."""
    front = Front(unleash)
    with make(front.url, tmp_path) as driver:
        made = [
            change(driver, Address(f"acme/shop/dev:FeatureFlag/flag-{n}"), GRADUAL)
            for n in range(3)
        ]
        assert {one.action for one in made} == {Action.CREATE}
        outcomes = driver.apply(made, ContractSecrets())
        assert next(outcomes).result is Result.DONE
        front.stop()
        left = list(outcomes)
    assert [one.result for one in left] == [Result.FAILED] * 2
    assert {one.error.code for one in left if one.error} == {"HR080"}


# -- the token ------------------------------------------------------------------------------------

SEALED = "{valueFrom: {config: 'acme:Config/unleash', key: TOKEN}}"


@pytest.fixture
def sealed(project: UnleashProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The token as an encrypted entry of a Config, and the file of its key."""
    monkeypatch.delenv("UNLEASH_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    identity = pyrage.x25519.Identity.generate()
    keys = tmp_path / "a.key"
    keys.write_text(str(identity))
    keys.chmod(0o600)
    url = project.read("hrctl.yaml").split("url: ")[1].split()[0]
    recipients = f"  secrets: {{recipients: [{{path: '**', keys: [{identity.to_public()}]}}]}}\n"
    project.configure(url, SEALED, more=recipients)
    project.write(
        "unleash.yaml",
        "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: unleash}\n"
        "spec: {scope: GLOBAL, entries: {}}\n",
    )
    text = tmp_path / "token"
    text.write_text(ADMIN)
    entry = ("acme:Config/unleash", "TOKEN")
    project.hrctl("secrets", "set", *entry, "--file", str(text), "--audience", url)
    text.unlink()
    project.flag(FLAG)
    return keys


def test_a_token_that_is_encrypted(project: UnleashProject, sealed: Path, unleash: Unleash) -> None:
    project.hrctl("--identity", str(sealed), "apply", "--yes")
    assert "No changes." in project.hrctl("--identity", str(sealed), "plan")
    assert [
        one["name"]
        for one in unleash.call("GET", "/api/admin/projects/default/features")["features"]
    ] == ["express"]
    said = json.dumps(project.json("state", "list"))
    kept = [file.read_bytes() for file in project.root.rglob("*") if file.is_file()]
    assert not any(ADMIN.encode() in one for one in [*kept, said.encode()])


def test_what_needs_no_unleash_needs_no_key(project: UnleashProject, sealed: Path) -> None:
    assert sealed.exists()
    project.hrctl("validate")
    assert project.fails("plan") == 1
    assert "HR170" in project.err
    assert "acme:Config/unleash" in project.err


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("{}", "has no entry TOKEN"),
        ("{TOKEN: {type: STRING, value: swordfish}}", "is no secret"),
        (None, "is not declared"),
    ],
)
def test_a_token_that_is_nowhere(project: UnleashProject, entries: str | None, said: str) -> None:
    (project.root / "unleash.yaml").unlink()
    if entries is not None:
        project.write(
            "unleash.yaml",
            "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: unleash}\n"
            f"spec: {{scope: GLOBAL, entries: {entries}}}\n",
        )
    project.commit()
    assert project.fails("plan") == 1
    assert "HR086" in project.err
    assert said in project.err
    assert "swordfish" not in project.err


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("{valueFrom: {}}", "one of env and config"),
        ("{valueFrom: {config: 'acme:Config/unleash'}}", "'config' in valueFrom needs 'key'"),
        ("{valueFrom: {config: unleash, key: TOKEN}}", "the address of a Config"),
        (f"{TOKEN[:-2]}, key: A}}}}", "'key' in valueFrom needs 'config'"),
    ],
)
def test_a_reference_that_is_wrong(
    project: UnleashProject, unleash: Unleash, token: str, said: str
) -> None:
    project.configure(unleash.url, token)
    assert project.fails("plan") == 1
    assert said in " ".join(project.err.split())
