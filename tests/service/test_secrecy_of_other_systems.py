"""No secret of WeCom, Weaver, the DI gateway or a database anywhere: calls that work, calls whose failure repeats what
was asked, then a look through everything.

WeCom takes its secret and its token in the address of a call, Weaver in headers, the DI gateway in a cookie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from runtime.store.inbox import list_events
from tests.service.audit import Audit
from tests.service.proxy import Postgres, Proxy, running

pytestmark = [pytest.mark.acceptance]

B1_PASSWORD, STATE_PASSWORD, SQL_PASSWORD = "ZqPasswortZq1", "ZqZustandZq2", "ZqDatenbankZq3"
WRONG, ROBOT = "ZqFalschZq4", "ZqRoboterZq5"
SANDBOX = f"""
from runtime.sandbox import demo
demo.B1_PASSWORD = {B1_PASSWORD!r}
from runtime.cli import main
main()
"""
FORM = "TkAudit"
ROWS = "{{ request.body.rows }}"
#: The same call of each system, made on each way to it.
CALLS: dict[str, dict[str, Any]] = {
    "wecom": {"call": "find_user", "with": {"user": "user-manager"}},
    "weaver": {"call": "get_approval", "with": {"instance_id": "1"}},
    "di": {"call": "query", "with": {"statement": 'SELECT T0."DocEntry" FROM ODRF T0'}},
}
WAYS = ("through", "failing", "garbled", "wrong")
#: What carries the documents' own records.
FURTHER: dict[str, list[dict[str, Any]]] = {
    "submit_wecom": [
        {"each": ROWS, "as": "one", "key": "{{ one.id }}", "steps": [
            {"id": "form", "map": {"from": "{{ one }}", "to": {"connection": "wecom_through", "form": FORM},
                                   "fields": [{"to": "事由", "from": "id"}]}},
            {"call": "wecom_through.create_approval",
             "with": {"form": FORM, "values": "{{ form }}", "originator": "user-lisi"}}]},
    ],
    "submit_weaver": [
        {"each": ROWS, "as": "one", "key": "{{ one.id }}", "steps": [
            {"call": "weaver_failing.create_approval",
             "with": {"form": str(demo.WEAVER_WORKFLOW), "title": "t", "values": {"bz": "x"}}}]},
    ],
    "mode": [
        {"call": "weaver_through.save_mode_data",
         "with": {"interface": "saveItem", "key_fields": ["wlbm"], "records": [{"wlbm": "A1", "wlmc": "x"}]}},
    ],
    "sql": [{"call": "sql.query", "with": {"statement": "SELECT 1 AS DocEntry"}}],
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox_program(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Its password in B1 is one that can be told from the user's name."""
    file = tmp_path_factory.mktemp("program") / "sandbox.py"
    file.write_text(SANDBOX, "utf-8")
    return (str(file),)


@pytest.fixture
def between(sandbox: Any) -> Iterator[tuple[Proxy, Postgres]]:
    with running(sandbox.url) as servers:
        yield servers


def connections(desk: Any, sandbox: Any, proxy: Proxy, postgres: Postgres) -> dict[str, Any]:
    """Every system on every way, and a database."""
    base = desk.connections(
        weaver_demo={**sandbox.control("GET", "/weaver/registration"), "mode_token": True},
        b1_di_demo={"password": B1_PASSWORD},
    )
    systems = {
        "wecom": (demo.WECOM_CONNECTION, "secret"),
        "weaver": (demo.WEAVER_CONNECTION, "secret"),
        "di": (demo.B1_DI_CONNECTION, "password"),
    }
    found: dict[str, Any] = {
        "sql": {
            "kind": "sql",
            "url": f"postgresql+psycopg://{postgres.address}/x?sslmode=disable",
            "user": "reader",
            "password": SQL_PASSWORD,
        }
    }
    for system, (name, secret) in systems.items():
        path = base[name]["base_url"].removeprefix(sandbox.url)
        for way in WAYS:
            address = f"{proxy.url}/{'through' if way == 'wrong' else way}{path}"
            wrong = {secret: WRONG} if way == "wrong" else {}
            found[f"{system}-{way}"] = {**base[name], "base_url": address, "retries": 1, **wrong}
    return found


def mapping(names: Sequence[str]) -> dict[str, Any]:
    """One flow for each call and each way, asked for over HTTP; verdicts of WeCom meet a failing WeCom."""
    steps = {
        f"{system}_{way}": [{**call, "call": f"{system}_{way}.{call['call']}"}]
        for system, call in CALLS.items()
        for way in WAYS
    } | FURTHER
    flows: dict[str, Any] = {
        name: {"trigger": {"http": {"path": f"audit/{name}"}}, "steps": found} for name, found in steps.items()
    }
    detail = {"call": "wecom_failing.get_approval", "with": {"instance_id": "{{ event.instance_id }}"}}
    flows["verdict"] = {"trigger": {"event": {"connection": "wecom_through", "form": FORM}}, "steps": [detail]}
    return {
        "format": 1,
        "id": "audit",
        "connections": {name.replace("-", "_"): name for name in names},
        "flows": flows,
    }


def broken(documents: dict[str, Any]) -> dict[str, Any]:
    """Connections that are refused when they are imported; what they hold is not repeated."""
    return {
        "sql-url": {"kind": "sql", "url": f"postgresql+psycopg://reader:{SQL_PASSWORD}@127.0.0.1:9/x"},
        "sql-query": {"kind": "sql", "url": f"postgresql+psycopg://127.0.0.1:9/x?password={SQL_PASSWORD}"},
        "wecom-broken": {**documents["wecom-through"], "aes_key": demo.WECOM_AES_KEY[:-1] + "!"},
        "weaver-broken": {**documents["weaver-through"], "spk": WRONG, "rate": "quick"},
    }


def codes(audit: Audit) -> dict[str, str]:
    """AppCode by flow; the one place that shows them."""
    listed = Audit(audit.desk, audit.folder, {}).quick_command("appcodes", "list", "audit")
    rows = [line.split() for line in listed.splitlines()[1:]]
    return {row[0].removeprefix("audit/"): row[-1] for row in rows}


def ask(audit: Audit, http: httpx.Client, appcodes: dict[str, str]) -> dict[str, int]:
    """Call flows; the status of each answer."""
    statuses: dict[str, int] = {}
    for name, code in appcodes.items():
        answer = http.post(f"/flows/audit/{name}", headers={"X-Apig-AppCode": code}, json={"rows": [{"id": "1"}]})
        audit.evidence.add("answers of the runtime", answer.text)
        statuses[name] = answer.status_code
    return statuses


def verdict(audit: Audit, http: httpx.Client, sandbox: Any, eventually: Any) -> None:
    """WeCom checks the callback's address and pushes a verdict to it; what others push there is refused."""
    callback = "/callbacks/wecom-through"
    sandbox.subscribe("wecom", f"{http.base_url}".rstrip("/") + callback)
    assert sandbox.control("GET", "/wecom/callback")["verified"]
    [approval] = [one for one in sandbox.control("GET", "/wecom/instances")["instances"] if one["template_id"] == FORM]
    sandbox.control("POST", f"/wecom/instances/{approval['id']}/decide", {"result": "agree"})
    forged = {"msg_signature": "x", "timestamp": "1", "nonce": "1", "echostr": "x"}
    for method, query in (("GET", forged), ("POST", forged), ("POST", {})):
        answer = http.request(method, callback, params=query, content=b"<xml/>")
        audit.evidence.add("answers of the runtime", answer.text)

    def failed() -> bool:
        return [one.state for one in audit.desk.read(list_events)] == ["failed"]

    eventually(failed, what="the verdict meets a failing WeCom")


@pytest.mark.timeout(200)
def test_no_secret_of_another_system_shows_anywhere(
    module_desk: Any, sandbox: Any, tmp_path: Path, between: tuple[Proxy, Postgres], eventually: Any
) -> None:
    proxy, postgres = between
    documents = connections(module_desk, sandbox, proxy, postgres)
    on_the_wire = {
        "WeCom secret": demo.WECOM_SECRET,
        "B1 password": B1_PASSWORD,
        "wrong secret or password": WRONG,
    }
    audit = Audit(
        module_desk,
        tmp_path,
        on_the_wire
        | {
            "WeCom AES key": demo.WECOM_AES_KEY[:-1],
            "WeCom callback token": demo.WECOM_TOKEN,
            "Weaver secret": documents["weaver-through"]["secret"],
            "Weaver mode password": demo.WEAVER_MODE_PASSWORD,
            "database password": SQL_PASSWORD,
            "password of the state database": STATE_PASSWORD,
            "address of the robot": ROBOT,
        },
    )
    file = tmp_path / "connections.json"
    for content in (documents, *({name: one} for name, one in broken(documents).items())):
        file.write_text(json.dumps(content), "utf-8")
        audit.quick_command("connections", "import", str(file))
    module_desk.save(mapping(list(documents)))
    sandbox.control("PUT", f"/wecom/forms/{FORM}", {"name": "请假", "controls": [{"label": "事由"}]})
    for credentials, query in ((f"state:{STATE_PASSWORD}@", ""), ("", f"&user=state&password={STATE_PASSWORD}")):
        state = f"postgresql+psycopg://{credentials}{postgres.address}/x?sslmode=disable{query}"
        audit.quick_command("runs", "list", B1_STATE=state)

    robot = {"B1_ALERT_URL": f"{proxy.url}/robot?key={ROBOT}", "B1_ALERT_KIND": "wecom"}
    process = module_desk.serve(env={"B1_LOG": "debug", **robot})
    with httpx.Client(base_url=process.address(), trust_env=False, timeout=60) as http:
        appcodes = codes(audit)
        audit.secrets |= {f"AppCode of {name}": code for name, code in appcodes.items()}
        statuses = ask(audit, http, appcodes)
        for system in ("wecom", "weaver"):
            sandbox.control("POST", f"/{system}/expire-tokens")
            ask(audit, http, {name: appcodes[name] for name in (f"{system}_through", f"{system}_failing")})
        verdict(audit, http, sandbox, eventually)
        eventually(lambda: proxy.alerts, what="people are told")
        for path in ("/metrics", "/readyz", "/healthz"):
            audit.evidence.add(path, http.get(path).text)
    for listing in ("connections", "callbacks", "deliveries"):
        audit.quick_command(listing, "list")
    for name in ("sql", "weaver-failing"):
        audit.quick_command("--debug", "connections", "test", name)
    audit.look_at_runs(process.popen.pid)
    process.stop()
    audit.evidence.add("log of the runtime", process.output)
    audit.look_at_files()
    audit.evidence.add("alerts", "\n".join(proxy.alerts))

    good = {name for name, status in statuses.items() if status == 200}
    assert good == {"wecom_through", "di_through", "mode", "submit_wecom"}
    seen = "".join(proxy.seen)
    assert [name for name, value in on_the_wire.items() if value not in seen] == []
    assert {SQL_PASSWORD, STATE_PASSWORD} == set(postgres.seen)
    learned = sorted(proxy.learned)
    assert len(learned) > 10
    # What is cut off is told by its beginning.
    audit.secrets |= {f"token, session or cipher {number}": value[:16] for number, value in enumerate(learned)}
    found = audit.evidence.found
    for where in ("rows of inbox", "rows of deliveries", "rows of run_documents", "alerts", "answers of the runtime"):
        assert b"502" in found[where], where
    assert audit.evidence.leaks(audit.secrets) == []
