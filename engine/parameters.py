"""Parameters of a step: one frozen dataclass, saved as JSON beside its result."""

from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from engine.errors import InputError

P = TypeVar("P")


def to_dict(parameters: Any) -> dict[str, Any]:
    """The parameters as JSON-ready values."""
    return asdict(parameters)


def from_dict(kind: type[P], values: dict[str, Any]) -> P:
    """The parameters of dataclass `kind` with the given values, numbers may be text.

    Raises InputError for a name that the class does not have, or a value of the wrong kind.
    """
    assert is_dataclass(kind)
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(
            f"{kind.__name__}: unknown parameter {', '.join(unknown)}; expected some of {', '.join(sorted(known))}"
        )
    try:
        checked: P = _adapter(kind).validate_python(values)
        return checked
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # the class itself said what is wrong
            raise InputError(first["msg"].removeprefix("Value error, ")) from error
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{kind.__name__}: {name} = {first['input']!r}: {first['msg']}") from error


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """What checks parameters of a class; it takes 8 ms to make."""
    return TypeAdapter(kind)
