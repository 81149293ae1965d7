"""A driver's credential goes to its own server: whoever edits hrctl.yaml sends it nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from hrctl.cli.main import main
from tests.cli.recording import Server
from tests.conftest import ProjectFolder

HEAD = "apiVersion: hrctl.dev/v1\nkind: "
ENV = "{env: GITHUB_TOKEN}"
CONFIG = "{config: 'acme:Config/any', key: ANY}"
Declare = Callable[..., None]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project with a flag, a key that opens its secrets, and a token in the environment."""
    identity = pyrage.x25519.Identity.generate()
    keys = tmp_path / "keys"
    keys.write_text(str(identity))
    keys.chmod(0o600)
    monkeypatch.setenv("HRCTL_AGE_IDENTITY_FILE", str(keys))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GITHUB_TOKEN", "the-token")
    monkeypatch.delenv("HRCTL_ALLOWED_ENV", raising=False)
    project = ProjectFolder(tmp_path / "acme")
    project.write(
        {
            ".gitignore": ".hrctl/\n",
            "key.txt": str(identity.to_public()),
            "registry.yaml": f"{HEAD}Registry\nmetadata: {{name: acme}}\n"
            "spec: {level: ROOT, drivers: {FeatureFlag: x}}\n",
            "flag.yaml": f"{HEAD}FeatureFlag\nmetadata: {{name: f}}\n"
            "spec: {type: BOOLEAN, hash: unleash}\n",
            "any.yaml": f"{HEAD}Config\nmetadata: {{name: any}}\n"
            "spec: {scope: GLOBAL, entries: {}}\n",
        }
    )
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture
def declare(folder: ProjectFolder) -> Declare:
    def write(server: Server, token: str) -> None:
        recipient = (folder.root / "key.txt").read_text()
        folder.write(
            {
                "hrctl.yaml": f"{HEAD}Project\nmetadata: {{name: acme}}\nspec:\n"
                f"  drivers: {{x: {{type: unleash, url: 'http://{server.address}',"
                f" token: {{valueFrom: {token}}}}}}}\n"
                f"  secrets: {{recipients: [{{path: '**', keys: [{recipient}]}}]}}\n"
            }
        )
        folder.commit()

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        return main(list(arguments)), capsys.readouterr().err

    return call


def seal(folder: ProjectFolder, run: Run, *options: str) -> None:
    """Encrypt a token as ANY of Config/any."""
    file = folder.root.parent / "plain"
    file.write_text("the-token")
    code, err = run("secrets", "set", "acme:Config/any", "ANY", "--file", str(file), *options)
    assert code == 0, err


def sent(server: Server) -> bool:
    return any("the-token" in request for request in server.requests)


# -- variables -------------------------------------------------------------------------------------


def test_a_variable_that_nobody_allowed_is_sent_nowhere(
    declare: Declare, run: Run, server: Server
) -> None:
    declare(server, ENV)
    code, err = run("plan")
    assert code == 1
    assert "HR315 the variable GITHUB_TOKEN is not allowed as a credential for" in err
    assert f"http://{server.address}" in err
    assert server.requests == []


@pytest.mark.parametrize("allowed", ["GITHUB_TOKEN", "A, GITHUB_TOKEN,B", "A GITHUB_TOKEN"])
def test_a_variable_that_is_allowed_is_sent(
    declare: Declare, run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", allowed)
    declare(server, ENV)
    run("plan")
    assert sent(server)


@pytest.mark.parametrize("allowed", ["GITHUB_TOKEN_2", "GITHUB", "*", "github_token", ""])
def test_only_the_name_itself_allows_it(
    declare: Declare, run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", allowed)
    declare(server, ENV)
    assert "HR315" in run("plan")[1]
    assert server.requests == []


def configuration(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config/hrctl/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_the_users_configuration_file_allows_it(
    declare: Declare, run: Run, server: Server, tmp_path: Path
) -> None:
    configuration(tmp_path, "allowedEnv: [OTHER, GITHUB_TOKEN]\n")
    declare(server, ENV)
    run("plan")
    assert sent(server)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("allowedEnv: GITHUB_TOKEN\n", "needs a list of names"),
        ("allowedEnv: [1]\n", "needs a list of names"),
        ("- GITHUB_TOKEN\n", "is no map"),
        ("allowedEnv: [GITHUB_TOKEN\n", "is not YAML"),
    ],
)
def test_a_configuration_file_that_is_wrong(  # noqa: PLR0913, PLR0917 - fixtures
    declare: Declare, run: Run, server: Server, tmp_path: Path, text: str, wrong: str
) -> None:
    configuration(tmp_path, text)
    declare(server, ENV)
    code, err = run("plan")
    assert code == 1
    assert "HR317" in err
    assert wrong in err
    assert server.requests == []


def test_a_configuration_file_of_the_repository_allows_nothing(
    folder: ProjectFolder,
    declare: Declare,
    run: Run,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the home folder of a runner is the checkout."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(folder.root))
    folder.write({".config/hrctl/config.yaml": "allowedEnv: [GITHUB_TOKEN]\n"})
    declare(server, ENV)
    code, err = run("plan")
    assert code == 1
    assert "HR317" in err
    assert "is part of the project's repository" in err
    assert server.requests == []


# -- encrypted tokens ------------------------------------------------------------------------------


def test_any_secret_of_the_repository_is_sent_nowhere(
    folder: ProjectFolder, declare: Declare, run: Run, server: Server
) -> None:
    """`token: {valueFrom: {config: ANY, key: ANY}}` made a plan with a key send it."""
    declare(server, CONFIG)
    seal(folder, run)
    folder.commit()
    code, err = run("plan")
    assert code == 1
    assert (
        f"HR316 the credential acme:Config/any ANY is not sealed for http://{server.address}" in err
    )
    assert "the-token" not in err
    assert server.requests == []


def test_a_changed_url_refuses_the_old_credential(
    folder: ProjectFolder, declare: Declare, run: Run, server: Server, other: Server
) -> None:
    declare(server, CONFIG)
    seal(folder, run, "--audience", f"http://{server.address}/api")
    folder.commit()
    run("plan")
    assert sent(server)
    declare(other, CONFIG)
    code, err = run("plan")
    assert code == 1
    assert f"is sealed for http://{server.address}, not for http://{other.address}" in err
    assert other.requests == []
    seal(folder, run, "--audience", f"http://{other.address}")
    folder.commit()
    run("plan")
    assert sent(other), "as the hint says"


def test_a_variable_behind_a_config_has_to_be_allowed_too(
    folder: ProjectFolder, declare: Declare, run: Run, server: Server
) -> None:
    declare(server, CONFIG)
    entries = "{ANY: {type: STRING, valueFrom: {env: GITHUB_TOKEN}}}"
    path = folder.root / "any.yaml"
    path.write_text(path.read_text().replace("entries: {}", f"entries: {entries}"))
    folder.commit()
    code, err = run("plan")
    assert code == 1
    assert "HR315" in err
    assert server.requests == []


def test_a_plain_value_is_no_credential(
    folder: ProjectFolder, declare: Declare, run: Run, server: Server
) -> None:
    declare(server, CONFIG)
    path = folder.root / "any.yaml"
    entries = "{ANY: {type: STRING, value: internal-detail}}"
    path.write_text(path.read_text().replace("entries: {}", f"entries: {entries}"))
    folder.commit()
    code, err = run("plan")
    assert code == 1
    assert "HR086 ANY of acme:Config/any is no secret" in err
    assert "internal-detail" not in err
    assert server.requests == []


def test_the_password_of_a_supervisord(folder: ProjectFolder, run: Run, tmp_path: Path) -> None:
    block = (
        f"socket: {tmp_path}/s, configDir: {tmp_path}, username: u, password: {{valueFrom: {ENV}}}"
    )
    folder.write(
        {
            "hrctl.yaml": f"{HEAD}Project\nmetadata: {{name: acme}}\nspec:\n"
            f"  drivers: {{x: {{type: supervisor, mode: external, {block}}}}}\n",
            "registry.yaml": f"{HEAD}Registry\nmetadata: {{name: acme}}\n"
            "spec: {level: ROOT, drivers: {Service: x}}\n",
            "flag.yaml": f"{HEAD}Service\nmetadata: {{name: s}}\n"
            "spec: {type: API, command: sleep 1}\n",
        }
    )
    folder.commit()
    code, err = run("plan")
    assert code == 1
    assert (
        "HR315 the variable GITHUB_TOKEN is not allowed as a credential for the supervisord at"
        in err
    )
