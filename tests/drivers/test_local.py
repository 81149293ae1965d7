from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Live, Outcome, Result
from hrctl.drivers.contract import ContractSecrets, DriverContract, context_for
from hrctl.drivers.local import LocalDriver
from hrctl.drivers.local_store import LocalStore
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.values import Body, Json, merge

BODIES: dict[str, Json] = {
    "Component": {"type": "CACHE", "provider": "redis", "capacity": {"memory": "1Gi"}},
    "Config": {"scope": "SERVICE", "entries": {"LEVEL": {"type": "STRING", "value": "info"}}},
    "FeatureFlag": {"type": "BOOLEAN", "variants": {"on": True, "off": False}, "default": "off"},
    "Service": {"type": "API", "replicas": 1, "env": {"TEXT": "äöü €"}, "ports": [{"port": 80}]},
}


class TestLocalContract(DriverContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_driver(self, project: str = "contract") -> LocalDriver:
        return LocalDriver({"path": ".hrctl/registry.db"}, context_for(self.folder, project))

    def sample_body(self, kind: str, n: int) -> Body:
        spec = BODIES.get(kind, {"type": "ANY", "weight": 1.5, "list": [1, None, {"a": []}]})
        return {"metadata": {"labels": {"number": str(n)}}, "spec": spec}

    def changed_body(self, body: Body) -> Body:
        return merge(body, {"spec": {"added": {"deep": [True]}, "type": "OTHER"}})  # type: ignore[no-any-return]

    def tamper(self, address: Address) -> None:
        with sqlite3.connect(self.folder / ".hrctl/registry.db") as other:
            other.execute(
                "UPDATE resources SET body = json_set(body, '$.spec.type', 'TAMPERED')"
                " WHERE address = ?",
                (address,),
            )
        other.close()

    def with_secret(self, body: Body, reference: Json) -> Body:
        return merge(body, {"spec": {"env": {"TOKEN": reference}}})  # type: ignore[no-any-return]


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[LocalDriver]:
    with LocalDriver({}, context_for(tmp_path, "acme")) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path, driver: LocalDriver) -> Iterator[sqlite3.Connection]:
    """Another program, which writes plain SQL; a row is there already."""
    create(driver, "acme/prod:Service/api", {"spec": {"replicas": 1}})
    connection = sqlite3.connect(tmp_path / ".hrctl/registry.db", isolation_level=None)
    yield connection
    connection.close()


def create(driver: LocalDriver, address: str, body: Body) -> Outcome:
    change = Change(Address(address), Action.CREATE, Reason.NEW, "local", after=body)
    (outcome,) = driver.apply([change], ContractSecrets())
    return outcome


def version(driver: LocalDriver, address: str) -> str:
    return {stamp.address: stamp.version for stamp in driver.scan()}[Address(address)]


def test_looking_at_a_missing_store_makes_nothing(driver: LocalDriver, tmp_path: Path) -> None:
    address = Address("acme:Service/api")
    assert list(driver.scan()) == []
    assert list(driver.read([address])) == []
    assert list(driver.discover()) == []
    assert driver.store.get(address) is None
    assert list(tmp_path.iterdir()) == []


def test_folder_is_kept_out_of_git(driver: LocalDriver, tmp_path: Path) -> None:
    create(driver, "acme:Service/api", {})
    assert (tmp_path / ".hrctl/.gitignore").read_text() == "*\n"


def test_path_is_relative_to_the_project(tmp_path: Path) -> None:
    with LocalDriver({"path": "data/shop.db"}, context_for(tmp_path)) as driver:
        create(driver, "acme:Service/api", {})
    assert (tmp_path / "data/shop.db").exists()


def test_config_is_strict() -> None:
    model = LocalDriver.config_model()
    assert model().model_dump() == {"path": ".hrctl/registry.db"}
    with pytest.raises(ValueError, match="extra"):
        model(paht="x")


def test_update_by_another_program_is_drift(driver: LocalDriver, other: sqlite3.Connection) -> None:
    before = version(driver, "acme/prod:Service/api")
    other.execute('UPDATE resources SET body = \'{"spec": {"replicas": 5}}\'')
    assert int(version(driver, "acme/prod:Service/api")) > int(before)
    (live,) = driver.read([Address("acme/prod:Service/api")])
    assert live.body == {"spec": {"replicas": 5}}
    assert live.owner == "acme"


def test_insert_by_another_program_is_unowned(
    driver: LocalDriver, other: sqlite3.Connection
) -> None:
    other.execute("INSERT INTO resources (address, body) VALUES ('acme:Node/n', '{\"spec\": {}}')")
    (found,) = driver.discover()
    assert (found.address, found.owner, found.version) == ("acme:Node/n", None, "2")


def test_delete_and_insert_by_another_program_is_drift(
    driver: LocalDriver, other: sqlite3.Connection
) -> None:
    row = other.execute("SELECT address, owner, body FROM resources").fetchone()
    other.execute("DELETE FROM resources")
    assert list(driver.scan()) == []
    other.execute("INSERT INTO resources (address, owner, body) VALUES (?, ?, ?)", row)
    assert version(driver, "acme/prod:Service/api") == "2"


def test_taking_the_mark_away_is_drift(driver: LocalDriver, other: sqlite3.Connection) -> None:
    other.execute("UPDATE resources SET owner = NULL")
    assert list(driver.scan()) == [(Address("acme/prod:Service/api"), None, "2")]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("acme:Service/Api", "{}"),
        ("acme:service/api", "{}"),
        ("acme/:Service/api", "{}"),
        ("acme//prod:Service/api", "{}"),
        ("acme/-prod:Service/api", "{}"),
        ("acme:Service/", "{}"),
        ("Service/api", "{}"),
        ("acme", "{}"),
        ("acme:Service/api", "[]"),
        ("acme:Service/api", "{"),
        ("acme:Service/api", None),
    ],
)
def test_store_refuses_what_is_no_resource(
    other: sqlite3.Connection, address: str, body: str | None
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        other.execute("INSERT INTO resources (address, body) VALUES (?, ?)", (address, body))


def test_table_is_laid_out_as_documented(other: sqlite3.Connection) -> None:
    (row,) = other.execute(
        "SELECT address, owner, version, body, registry, kind, name FROM resources"
    )
    body = '{"spec":{"replicas":1}}'
    assert row == ("acme/prod:Service/api", "acme", 1, body, "acme/prod", "Service", "api")
    ((updated,),) = other.execute("SELECT updated FROM resources")
    assert updated.endswith("Z")


def test_query_by_registry_and_kind(driver: LocalDriver) -> None:
    for address in ("acme:Node/a", "acme:Service/b", "acme/prod:Node/c", "acmeter:Node/d"):
        create(driver, address, {})
    store = driver.store
    assert [live.address for live in store.query()] == sorted(
        ["acme:Node/a", "acme:Service/b", "acme/prod:Node/c", "acmeter:Node/d"]
    )
    assert [live.address.name for live in store.query("acme")] == ["a", "b"]
    assert [live.address.name for live in store.query("acme", below=True)] == ["c", "a", "b"]
    assert [live.address.name for live in store.query(kind="Node")] == ["c", "a", "d"]
    assert [live.address.name for live in store.query("acme/prod", "Node")] == ["c"]


def test_state_tells_whether_a_row_may_have_changed(
    driver: LocalDriver, other: sqlite3.Connection
) -> None:
    store = driver.store
    states = [store.state()]
    create(driver, "acme:Config/c", {"spec": {}})
    states.append(store.state())
    assert list(store.query())
    assert store.state() == states[-1]  # looking changes nothing
    with other:
        other.execute("UPDATE resources SET body = '{}' WHERE address = 'acme:Config/c'")
    states.append(store.state())
    with other:
        other.execute("DELETE FROM resources")
    states.append(store.state())
    create(driver, "acme:Config/c", {"spec": {}})
    states.append(store.state())
    assert all(one != another for one, another in itertools.combinations(states, 2))


def test_state_of_a_missing_store_is_nothing(tmp_path: Path) -> None:
    assert LocalStore(tmp_path / "none.db").state() == ()
    assert not list(tmp_path.iterdir())


def test_sensitive_references_stay_and_others_are_resolved(
    driver: LocalDriver, tmp_path: Path
) -> None:
    secret = {"valueFrom": {"age": "-----BEGIN"}}
    url = {"valueFrom": {"component": "acme:Component/db", "output": "host"}}
    outcome = create(driver, "acme:Service/api", {"spec": {"env": {"A": secret, "B": url}}})
    (live,) = driver.read([outcome.address])
    assert live.body == {"spec": {"env": {"A": secret, "B": "a-resolved-value"}}}
    assert all(b"correct-horse" not in file.read_bytes() for file in tmp_path.rglob("*.db*"))


@pytest.mark.parametrize("moved", [False, True])
def test_what_only_the_live_side_has_is_kept(driver: LocalDriver, *, moved: bool) -> None:
    address, old = Address("acme:Service/api"), Address("acme:Service/old")
    live: Body = {
        "spec": {
            "image": "a",
            "replicas": 1,
            "gone": 1,
            "by-hand": {"x": 1},
            "ports": [{"name": "http", "port": 80, "hint": "h"}, {"name": "admin", "port": 81}],
        }
    }
    applied: Body = {
        "spec": {
            "image": "a",
            "gone": 1,
            "ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}],
        }
    }
    desired: Body = {
        "spec": {
            "image": "b",
            "ports": [{"name": "admin", "port": 82}, {"name": "http", "port": 80}],
        }
    }
    create(driver, old if moved else address, live)
    change = Change(
        address,
        Action.UPDATE,
        Reason.MOVED if moved else Reason.EDITED,
        "local",
        before=live,
        applied=applied,
        after=desired,
        expect_version=version(driver, old if moved else address),
        previous_address=old if moved else None,
    )
    (outcome,) = driver.apply([change], ContractSecrets())
    assert outcome.result is Result.DONE
    found = driver.store.get(address)
    assert found is not None
    assert found.body == {
        "spec": {
            "image": "b",
            "ports": [
                {"name": "admin", "port": 82},
                {"name": "http", "port": 80, "hint": "h"},
            ],
            "replicas": 1,
            "by-hand": {"x": 1},
        }
    }


def test_text_of_any_kind_comes_back(driver: LocalDriver) -> None:
    body = {"spec": {"a": "\ud800 alone", "b": "nul \0 in it", "c": 2**63, "d": "😀", "e": 1e300}}
    outcome = create(driver, "acme:Service/api", body)
    assert driver.store.get(outcome.address) == Live(outcome.address, body, "1", "acme")


def test_full_disk_fails_every_change_and_makes_none(
    driver: LocalDriver, other: sqlite3.Connection
) -> None:
    connection = driver.store._file._writer()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    batch = [
        Change(Address(f"acme:Node/n{n}"), Action.CREATE, Reason.NEW, "local", after={"x": "y" * n})
        for n in range(2000, 2040)
    ]
    outcomes = list(driver.apply(batch, ContractSecrets()))
    assert {outcome.result for outcome in outcomes} == {Result.FAILED}
    assert {outcome.error.code for outcome in outcomes if outcome.error} == {"HR103"}
    assert [outcome.address for outcome in outcomes] == [change.address for change in batch]
    assert other.execute("SELECT count(*) FROM resources").fetchone() == (1,)


def test_damaged_body_is_named(driver: LocalDriver, other: sqlite3.Connection) -> None:
    other.execute("PRAGMA ignore_check_constraints=ON")
    other.execute("UPDATE resources SET body = '{'")
    with pytest.raises(HrctlError, match=r"HR105 .*acme/prod:Service/api is not JSON"):
        list(driver.read([Address("acme/prod:Service/api")]))


def test_batch_is_one_transaction(driver: LocalDriver, other: sqlite3.Connection) -> None:
    reader = other.execute("PRAGMA data_version").fetchone()[0]
    batch = [
        Change(Address(f"acme:Node/n{n}"), Action.CREATE, Reason.NEW, "local", after={})
        for n in range(50)
    ]
    (first, *rest) = driver.apply(batch, ContractSecrets())
    assert first.result is Result.DONE
    assert [outcome.version for outcome in rest] == [str(n) for n in range(3, 52)]
    assert other.execute("PRAGMA data_version").fetchone()[0] == reader + 1


def test_health_tells_what_is_missing(driver: LocalDriver) -> None:
    create(driver, "acme/prod:Service/api", {})
    here, gone = Address("acme/prod:Service/api"), Address("acme/prod:Service/web")
    found = {report.address: report.status for report in driver.health([here, gone])}
    assert found == {here: "STORED", gone: "MISSING"}
