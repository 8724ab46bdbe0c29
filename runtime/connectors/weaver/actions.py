"""Parameters of the e-cology actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator

from runtime.connectors.actions import ActionParams

__all__ = ["CreateApproval", "GetApproval", "ListModeData", "SaveModeData"]


def _identifier(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _blank_is_empty(value: Any) -> Any:
    return "" if value is None else _identifier(value)


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


def _form_values(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("the values of a form are named values, as a map step yields them")
    return value


def _records(value: Any) -> Sequence[Mapping[str, Any]]:
    records = [value] if isinstance(value, Mapping) else value
    if not isinstance(records, list | tuple) or not all(isinstance(record, Mapping) for record in records):
        raise ValueError("the records are a list of named values, as map steps yield them")
    return records


def _listed(value: Any) -> Any:
    return () if value in (None, "") else tuple(value.replace(" ", "").split(",")) if isinstance(value, str) else value


#: A number that e-cology gave: of a workflow, a request, a person.
Number = Annotated[str, BeforeValidator(_identifier), Field(pattern=r"^[0-9]+$")]
#: The same, or nothing: then the connection's own user is meant.
OptionalNumber = Annotated[str, BeforeValidator(_blank_is_empty), Field(pattern=r"^[0-9]*$")]
#: A mapped form, kept as the object it is: it carries its controls.
FormValues = Annotated[Mapping[str, Any], PlainValidator(_form_values)]


class CreateApproval(ActionParams):
    """e-cology 9, 流程接口 doCreateRequest."""

    form: Number = Field(description="Id of the workflow (workflowId)")
    values: FormValues = Field(description="The filled form: the result of a map step, or column → value")
    title: str = Field(min_length=1, max_length=400, description="Title of the request (requestName)")
    originator: OptionalNumber = Field("", description="hrmresource.id of the applicant; empty = the connection's user")
    level: Annotated[str, BeforeValidator(_identifier)] = Field(
        "0", pattern=r"^[0-9]+$", description="Urgency (requestLevel): 0 normal"
    )
    remark: str = Field("", description="Opinion of the applicant")
    submit: Annotated[bool | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="isnextflow: submit it, or leave it at the create node; None = as the connection says"
    )
    delete_failed: Annotated[bool | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="delReqFlowFaild: delete it if it cannot be submitted; None = as the connection says"
    )
    key_field: str = Field("", description="Column that carries the document's key; makes finding a lost answer exact")
    date_fields: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (), description="Columns that hold dates although the form calls them texts; separated by commas"
    )


class GetApproval(ActionParams):
    """e-cology 9, 流程接口 getWorkflowRequest."""

    instance_id: Number = Field(description="Number of the request (requestid)")
    user: OptionalNumber = Field("", description="Who looks; must be allowed to see it. Empty = the connection's user")


class SaveModeData(ActionParams):
    """e-cology 9, 建模接口 saveOrUpdateModeData.

    Safe to repeat only because every record says which one it is: by ``id``, or by the key fields that the interface is
    configured with in the mode engine.
    """

    interface: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="Name of the interface (接口标识)")
    records: Annotated[Sequence[Mapping[str, Any]], PlainValidator(_records)] = Field(
        description="Records: column → value; a list of rows is the detail of that name (detail1)"
    )
    key_fields: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (), description="Columns by which the interface recognises a record; needed unless every record has an id"
    )
    operator: OptionalNumber = Field("", description="hrmresource.id of who saves; empty = the connection's user")
    batch: int = Field(50, ge=1, le=500, description="Records in one call, at most")


class ListModeData(ActionParams):
    """e-cology 9, 建模接口 getModeDataPageList."""

    interface: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="Name of the interface (接口标识)")
    filter: dict[str, Any] = Field(default_factory=dict, description="Columns of the main table that must be equal")
    operator: OptionalNumber = Field("", description="hrmresource.id of who reads; empty = the connection's user")
    page_size: int = Field(50, ge=1, le=1000, description="Rows in one call")
