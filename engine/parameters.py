"""Parameters of a step: one frozen dataclass, saved as JSON beside its result."""

from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

from engine.errors import InputError

P = TypeVar("P")


def to_dict(parameters: Any) -> dict[str, Any]:
    """The parameters as JSON-ready values."""
    return asdict(parameters)


def from_dict(kind: type[P], values: dict[str, Any]) -> P:
    """The parameters of class `kind` with the given values; raises InputError for a name it does not have."""
    assert is_dataclass(kind)
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(
            f"{kind.__name__}: unknown parameter {', '.join(unknown)}; expected some of {', '.join(sorted(known))}"
        )
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
