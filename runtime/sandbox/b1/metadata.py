"""``$metadata`` of both versions, written from the schema that the simulator answers by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import quoteattr

from .actions import BOUND, SAVE_DRAFT
from .schema import EntityType, Navigation, Property, Schema

__all__ = ["metadata_document"]

_KINDS: Final = {
    "v1": {"date": "Edm.DateTime", "time": "Edm.Time"},
    "v2": {"date": "Edm.DateTimeOffset", "time": "Edm.TimeOfDay"},
}
_PLAIN: Final = {"int": "Edm.Int32", "num": "Edm.Double", "text": "Edm.String"}
_HEAD: Final = {
    "v1": (
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
        '<edmx:DataServices m:DataServiceVersion="3.0" m:MaxDataServiceVersion="3.0"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        '<Schema Namespace="SAPB1" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">'
    ),
    "v2": (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        '<Schema Namespace="SAPB1" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    ),
}
_SESSION: Final = (
    '<ComplexType Name="B1Session"><Property Name="SessionId" Type="Edm.String"/>'
    '<Property Name="Version" Type="Edm.String"/><Property Name="SessionTimeout" Type="Edm.Int32"/></ComplexType>'
)
_RESULT: Final = '<ComplexType Name="SQLQueryResult"><Property Name="SqlText" Type="Edm.String"/></ComplexType>'
_LIST: Final = '<Parameter Name="SQLQueryParams" Type="SAPB1.SQLQuery"/><Parameter Name="ParamList" Type="Edm.String"/>'
_LOGIN: Final = ("CompanyDB", "UserName", "Password", "Language")


def metadata_document(schema: Schema, version: str) -> bytes:
    """The EDMX document: OData 3 for ``v1``, OData 4 for ``v2``; user fields, tables and objects included."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', _HEAD[version]]
    for enum in schema.enums.values():
        members = (
            f"<Member Name={quoteattr(name)}/>"
            if version == "v1"
            else f'<Member Name={quoteattr(name)} Value="{number}"/>'
            for number, name in enumerate(enum.members)
        )
        extra = "" if version == "v1" else ' IsFlags="false" UnderlyingType="Edm.Int32"'
        parts.append(f"<EnumType Name={quoteattr(enum.name)}{extra}>{''.join(members)}</EnumType>")
    parts += [_SESSION, _RESULT]
    entities = {definition.type for definition in schema.sets.values()}
    for entity_type in schema.types.values():
        parts.append(_type(entity_type, entity_type.name in entities, schema, version))
    if version == "v1":
        parts += [_association(owner, navigation, schema) for owner, navigation in _navigations(schema)]
        parts += ['<EntityContainer Name="ServiceLayer" m:IsDefaultEntityContainer="true">', *_container_v1(schema)]
        parts.append("</EntityContainer>")
    else:
        parts += _actions_v2(schema)
        parts += ['<EntityContainer Name="ServiceLayer">', *_container_v2(schema), "</EntityContainer>"]
    parts.append("</Schema></edmx:DataServices></edmx:Edmx>")
    return "\n".join(parts).encode()


def _type(entity_type: EntityType, is_entity: bool, schema: Schema, version: str) -> str:
    tag = "EntityType" if is_entity else "ComplexType"
    parts = [f'<{tag} Name={quoteattr(entity_type.name)} OpenType="true">']
    if is_entity:
        refs = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in entity_type.key)
        parts.append(f"<Key>{refs}</Key>")
    parts += [_property(prop, prop.name in entity_type.key, version) for prop in entity_type.properties.values()]
    for navigation in entity_type.navigation.values():
        name = quoteattr(navigation.name)
        if version == "v1":
            roles = f'FromRole="{entity_type.name}" ToRole="{navigation.target}"'
            parts.append(
                f'<NavigationProperty Name={name} Relationship="SAPB1.{_relation(entity_type, navigation)}" {roles}/>'
            )
        else:
            target = schema.sets[navigation.target]
            constraint = (
                f'<ReferentialConstraint Property="{navigation.foreign_key}" ReferencedProperty="{target.key[0]}"/>'
            )
            parts.append(
                f'<NavigationProperty Name={name} Type="SAPB1.{target.type}">{constraint}</NavigationProperty>'
            )
    return "".join([*parts, f"</{tag}>"])


def _property(prop: Property, is_key: bool, version: str) -> str:
    if prop.kind == "lines":
        edm = f"Collection(SAPB1.{prop.lines})"
    elif prop.enum is not None:
        edm = f"SAPB1.{prop.enum.name}"
    else:
        edm = _PLAIN.get(prop.kind) or _KINDS[version][prop.kind]
    nullable = ' Nullable="false"' if is_key else ""
    return f"<Property Name={quoteattr(prop.name)}{nullable} Type={quoteattr(edm)}/>"


def _navigations(schema: Schema) -> Iterable[tuple[EntityType, Navigation]]:
    for entity_type in schema.types.values():
        for navigation in entity_type.navigation.values():
            yield entity_type, navigation


def _relation(owner: EntityType, navigation: Navigation) -> str:
    return f"FK_{owner.name}_{navigation.name}"


def _association(owner: EntityType, navigation: Navigation, schema: Schema) -> str:
    target = schema.sets[navigation.target]
    return (
        f'<Association Name="{_relation(owner, navigation)}">'
        f'<End Multiplicity="*" Role="{owner.name}" Type="SAPB1.{owner.name}"/>'
        f'<End Multiplicity="0..1" Role="{navigation.target}" Type="SAPB1.{target.type}"/><ReferentialConstraint>'
        f'<Principal Role="{navigation.target}"><PropertyRef Name="{target.key[0]}"/></Principal>'
        f'<Dependent Role="{owner.name}"><PropertyRef Name="{navigation.foreign_key}"/></Dependent>'
        "</ReferentialConstraint></Association>"
    )


def _container_v1(schema: Schema) -> Iterable[str]:
    for definition in schema.sets.values():
        yield f"<EntitySet EntityType={quoteattr('SAPB1.' + definition.type)} Name={quoteattr(definition.name)}/>"
    for owner, navigation in _navigations(schema):
        relation = _relation(owner, navigation)
        source = next(definition.name for definition in schema.sets.values() if definition.type == owner.name)
        yield (
            f'<AssociationSet Association="SAPB1.{relation}" Name="{relation}">'
            f'<End EntitySet="{source}" Role="{owner.name}"/>'
            f'<End EntitySet="{navigation.target}" Role="{navigation.target}"/></AssociationSet>'
        )
    parameters = "".join(f'<Parameter Name="{name}" Type="Edm.String"/>' for name in _LOGIN)
    yield f'<FunctionImport Name="Login" ReturnType="SAPB1.B1Session" m:HttpMethod="POST">{parameters}</FunctionImport>'
    yield '<FunctionImport Name="Logout" m:HttpMethod="POST"/>'
    document = '<Parameter Name="Document" Type="SAPB1.Document"/>'
    yield f'<FunctionImport Name="{SAVE_DRAFT}" m:HttpMethod="POST">{document}</FunctionImport>'
    for type_name, action in BOUND:
        parameter = f'<Parameter Name="{type_name}Params" Type="SAPB1.{type_name}"/>'
        yield f'<FunctionImport IsBindable="true" Name="{action}" m:HttpMethod="POST">{parameter}</FunctionImport>'
    bound = 'IsBindable="true" Name="List" ReturnType="SAPB1.SQLQueryResult" m:HttpMethod="POST"'
    yield f"<FunctionImport {bound}>{_LIST}</FunctionImport>"


def _actions_v2(schema: Schema) -> Iterable[str]:
    parameters = "".join(f'<Parameter Name="{name}" Type="Edm.String"/>' for name in _LOGIN)
    yield f'<Action Name="Login">{parameters}<ReturnType Type="SAPB1.B1Session"/></Action>'
    yield '<Action Name="Logout"/>'
    yield f'<Action Name="{SAVE_DRAFT}"><Parameter Name="Document" Type="SAPB1.Document"/></Action>'
    for type_name, action in BOUND:
        parameter = f'<Parameter Name="{type_name}Params" Type="SAPB1.{type_name}"/>'
        yield f'<Action IsBound="true" Name="{action}">{parameter}</Action>'
    yield f'<Action IsBound="true" Name="List">{_LIST}<ReturnType Type="SAPB1.SQLQueryResult"/></Action>'


def _container_v2(schema: Schema) -> Iterable[str]:
    for definition in schema.sets.values():
        bindings = "".join(
            f'<NavigationPropertyBinding Path="{navigation.name}" Target="{navigation.target}"/>'
            for navigation in schema.types[definition.type].navigation.values()
        )
        name, kind = quoteattr(definition.name), quoteattr(f"SAPB1.{definition.type}")
        yield f"<EntitySet EntityType={kind} Name={name}>{bindings}</EntitySet>"
    for action in ("Login", "Logout", SAVE_DRAFT):
        yield f'<ActionImport Action="SAPB1.{action}" Name="{action}"/>'
