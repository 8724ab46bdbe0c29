"""Values on their way in: checked against the schema, and brought into the form in which they are stored.

Stored form: enum members by name, dates ``YYYY-MM-DD``, times ``HH:MM:SS``, doubles as ``Decimal``; nulls are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

from .faults import ServiceFault, bad_request, invalid_property
from .filters import parse_date, parse_time
from .rows import Row
from .schema import EntityType, Property

__all__ = ["decimal", "stored_values"]

_GRAIN: Final = Decimal("0.000001")
_INT32: Final = 2**31 - 1


def decimal(value: Any) -> Decimal:
    """A double as it is stored: at most six decimals, and at least one, so that it reads back as ``10.0``."""
    number = Decimal(value).quantize(_GRAIN, ROUND_HALF_UP).normalize()
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and exponent < 0 else number.quantize(Decimal("0.0"))


def stored_values(body: Mapping[str, Any], entity_type: EntityType, types: Mapping[str, EntityType]) -> Row:
    """The body of a write in stored form; a null stays ``None`` (it clears), read-only properties are left out.

    :raises ServiceFault: an unknown property (-1000), a value of the wrong type, or one that is too long (-5002)
    """
    values: Row = {}
    for name, value in body.items():
        prop = entity_type.properties.get(name)
        if prop is None:
            if "odata." in name or name in entity_type.navigation:
                continue
            raise invalid_property(name, entity_type.name)
        if prop.read_only:
            continue
        if prop.kind == "lines":
            values[name] = _lines(value, prop, entity_type, types)
        else:
            values[name] = None if value is None else _scalar(value, prop, entity_type.name)
    return values


def _lines(value: Any, prop: Property, owner: EntityType, types: Mapping[str, EntityType]) -> list[Row]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
        raise _unfit(value, prop, owner.name)
    return [stored_values(line, types[prop.lines], types) for line in value]


def _scalar(value: Any, prop: Property, owner: str) -> Any:
    if isinstance(value, (dict, list)):
        raise _unfit(value, prop, owner)
    if prop.kind == "enum" and prop.enum is not None:
        member = prop.enum.member(value)
        if member is None:
            raise bad_request(f"Invalid value '{value}' of enumeration '{prop.enum.name}' for '{prop.name}'", -1000)
        return member
    if prop.kind in {"int", "num"}:
        return _number(value, prop, owner)
    if prop.kind in {"date", "time"}:
        if isinstance(value, str) and not value:
            return None
        parsed = (parse_date if prop.kind == "date" else parse_time)(str(value))
        if parsed is None:
            raise _unfit(value, prop, owner)
        return parsed
    if isinstance(value, bool):
        raise _unfit(value, prop, owner)
    text = str(value)
    if prop.size and len(text) > prop.size:
        raise bad_request(f"Value too long in property '{prop.name}' of '{owner}'")
    if prop.valid_values and text not in prop.valid_values:
        listed = ", ".join(f"'{key}' - '{meaning}'" for key, meaning in prop.valid_values.items())
        raise bad_request(f"'{text}' is not a valid value for field '{prop.name}'. The valid values are: {listed}")
    return text


def _number(value: Any, prop: Property, owner: str) -> Any:
    if isinstance(value, bool):
        raise _unfit(value, prop, owner)
    try:
        number = Decimal(str(value).strip())
        if prop.kind == "num" and number.is_finite():
            return decimal(number)
        if prop.kind == "int" and abs(number) <= _INT32 and number == number.to_integral_value():
            return int(number)
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise _unfit(value, prop, owner)


def _unfit(value: Any, prop: Property, owner: str) -> ServiceFault:
    return bad_request(f"Value '{value}' does not fit property '{prop.name}' of '{owner}'", -1000)
