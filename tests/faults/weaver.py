"""The laboratory with Weaver e-cology: verdicts come as HTTP calls of a node action, which nobody repeats but people.

The action stands at the exit of the approval node: an approval does not end as long as the runtime does not answer Y,
and the approver presses the button again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import httpx

from runtime.mapping.document import dump_mapping
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from tests.faults.audit import Approval
from tests.faults.laboratory import Laboratory

__all__ = ["WeaverLaboratory"]

_ID = "purchase-request-weaver"
_OUTCOMES = {"agree": "agreed", "refuse": "refused", "RUNNING": ""}
_ALL = 100_000


class WeaverLaboratory(Laboratory):
    """See :class:`~tests.faults.laboratory.Laboratory`."""

    again = "repeat"

    @property
    def events(self) -> str:
        """What the node action posted."""
        return "/weaver/sendings"

    def subscribe(self, settings: Mapping[str, Any]) -> None:
        """Have the node action post to the mapping's address; it knows no pauses and no copies."""
        codes = self._output("appcodes", "list")
        [code] = [line.split()[-1] for line in codes.splitlines() if line.startswith(f"{_ID}/verdict")]
        url = f"http://127.0.0.1:{self._runtime_port}/flows/{_ID}/verdict"
        self.control("PUT", "/weaver/node-action", {"url": url, "app_code": code, "blocking": True})

    def approvals(self) -> list[Approval]:
        """Every request that the OA holds."""
        found = self.control("GET", f"/weaver/requests?limit={_ALL}")["requests"]
        return [
            Approval(instance=str(one["id"]), document=one["values"]["djbh"], outcome=_OUTCOMES[one["state"]])
            for one in found
        ]

    def waiting(self, desk: httpx.Client) -> list[str]:
        """Ids of the requests that wait for the approver."""
        found = desk.get("/requests", params={"state": "RUNNING", "limit": _ALL}).json()["requests"]
        return [str(one["id"]) for one in found]

    def decide(self, desk: httpx.Client, instance: str, rng: random.Random) -> None:
        """The approver's mind does not change when the runtime does not answer: the same button again, later."""
        body = {"result": "refuse" if int(instance) % 3 == 0 else "agree", "remark": "看过了"}
        desk.post(f"/requests/{instance}/decide", json=body)

    def _sandbox_options(self) -> list[str]:
        return []

    def _registration(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", "/weaver/registration")
        return found

    def _mapping(self) -> dict[str, Any]:
        template = next(one for one in gallery() if one.id == "weaver-approval-odata")
        words = {f"status_{outcome}": outcome for outcome in ("agreed", "refused", "withdrawn")}
        made = instantiate(
            template,
            id=_ID,
            title="",
            connections={"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION},
            settings={"workflow": demo.WEAVER_WORKFLOW, "key_field": "djbh", "period": "1s", **words},
        )
        mapping: dict[str, Any] = json.loads(dump_mapping(made)) | {"enabled": True}
        submit = mapping["flows"]["submit"]["steps"][1]["steps"]
        submit[0]["map"]["fields"] = [
            {"to": "djbh", "from": "DocEntry"},
            {"to": "sqr", "value": str(demo.WEAVER_APPROVER)},
            {"to": "sqrq", "from": "DocDate", "through": ["date"]},
            {"to": "qgdb", "value": "2"},
        ]
        columns = [{"to": "wlbm", "from": "ItemCode"}, {"to": "cgsl", "from": "Quantity"}]
        table = {"to": "formtable_main_45_dt1", "from": "DocumentLines", "fields": columns}
        submit[0]["map"]["tables"] = [table]
        return mapping
