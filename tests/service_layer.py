"""One call to a sandbox's Service Layer, as a user of B1 makes it."""

from __future__ import annotations

from typing import Any

import httpx

from runtime.sandbox import demo


def service_layer(
    sandbox: str, path: str, *, method: str = "GET", body: Any = None, company: str = demo.B1_COMPANY
) -> Any:
    """Log in to the company of the sandbox at this address, and call; without ``method`` a read of all there is."""
    with httpx.Client(base_url=f"{sandbox}/b1/b1s/v1", trust_env=False, timeout=20) as client:
        login = {"CompanyDB": company, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        assert client.post("/Login", json=login).is_success
        answer = client.request(method, path, json=body, headers={"Prefer": "odata.maxpagesize=0"})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None
