"""How a simulated approval system says no."""

from __future__ import annotations

from starlette.responses import Response

from runtime import jsontext

__all__ = ["OaError", "json_response"]


class OaError(Exception):
    """A call or a button press that the system refuses.

    :ivar message: the system's own words
    """

    def __init__(self, code: str | int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def response(self) -> Response:
        """The system's answer."""
        raise NotImplementedError


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer as the vendors' gateways send it."""
    return Response(jsontext.dumps(body), status, media_type="application/json;charset=utf-8")
