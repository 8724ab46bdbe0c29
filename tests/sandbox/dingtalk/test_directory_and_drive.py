"""The double's directory and storage: what they answer, and everything that they refuse as DingTalk does."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.sandbox import demo

SPACES = "/v1.0/workflow/processInstances/spaces/infos/query"


async def legacy(sandbox: Any, path: str, body: Any, token: str | None = None) -> dict[str, Any]:
    await sandbox.dingtalk("GET", "/v1.0/workflow/forms/schemas/processCodes", processCode=demo.PROCESS_CODE)
    answer = await sandbox.client.post(
        f"/dingtalk/topapi/v2{path}", params={"access_token": token or sandbox.token}, json=body
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/user/getbymobile", {"mobile": "13800000002"}, 0),
        ("/user/getbymobile", {"mobile": "13999999999"}, 60121),
        ("/user/getbymobile", {}, 400002),
        ("/user/get", {"userid": "user-lisi"}, 0),
        ("/user/get", {"userid": "nobody"}, 60121),
        ("/user/get", {"userid": 7}, 400002),
        ("/user/get", [], 400002),
        ("/department/get", {"dept_id": 1002}, 0),
        ("/department/get", {"dept_id": 9}, 60003),
        ("/department/listsub", {}, 0),
        ("/department/listsub", {"dept_id": 9}, 60003),
    ],
)
async def test_the_directory(sandbox: Any, path: str, body: Any, code: int) -> None:
    answer = await legacy(sandbox, path, body)
    assert answer["errcode"] == code
    assert ("result" in answer) is (code == 0)
    stranger = await legacy(sandbox, path, body, token="x")
    assert (stranger["errcode"], stranger["sub_code"]) == (88, "40014")


async def test_a_file_goes_in_by_three_steps_and_not_otherwise(sandbox: Any) -> None:
    union = (await legacy(sandbox, "/user/get", {"userid": "user-lisi"}))["result"]["unionid"]
    asked = {"protocol": "HEADER_SIGNATURE", "multipart": False}
    space = str(sandbox.world.dingtalk.drive.open_space("user-wangwu"))
    refused = await sandbox.dingtalk(
        "POST", f"/v1.0/storage/spaces/{space}/files/uploadInfos/query", asked, unionId=union
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "permissionDenied"), "another's space"
    assert (await sandbox.dingtalk("POST", SPACES, {"userId": "nobody"})).status_code == 400
    space = (await sandbox.dingtalk("POST", SPACES, {"userId": "user-lisi"})).json()["result"]["spaceId"]
    files = f"/v1.0/storage/spaces/{space}/files"
    unknown = await sandbox.dingtalk("POST", f"{files}/uploadInfos/query", {"protocol": "OTHER"}, unionId=union)
    assert unknown.status_code == 400
    place = (await sandbox.dingtalk("POST", f"{files}/uploadInfos/query", asked, unionId=union)).json()
    commit = {"uploadKey": place["uploadKey"], "name": "a.txt", "parentId": "0", "option": {"size": 3}}
    early = await sandbox.dingtalk("POST", f"{files}/commit", commit, unionId=union)
    assert early.status_code == 400, "nothing is uploaded yet"
    signed = place["headerSignatureInfo"]
    [address] = signed["resourceUrls"]
    for headers in ({}, {**signed["headers"], "Content-Type": "text/plain"}, {"Authorization": "OSS demo:wrong"}):
        answer = await sandbox.client.put(address, content=b"abc", headers=headers)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert (await sandbox.client.put(address, content=b"abcd", headers=signed["headers"])).status_code == 200
    short = await sandbox.dingtalk("POST", f"{files}/commit", commit, unionId=union)
    assert short.status_code == 400, "not as long as announced"
    commit["option"] = {"size": 4}
    entry = (await sandbox.dingtalk("POST", f"{files}/commit", commit, unionId=union)).json()["dentry"]
    assert (entry["spaceId"], entry["name"], entry["size"], entry["extension"]) == (str(space), "a.txt", 4, "txt")
    again = await sandbox.dingtalk("POST", f"{files}/commit", commit, unionId=union)
    assert again.status_code == 400, "a key is good for one file"
