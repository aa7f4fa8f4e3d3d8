"""Parameters saved and read back."""

from dataclasses import dataclass

import pytest

from engine.errors import InputError
from engine.parameters import from_dict, to_dict


@dataclass(frozen=True)
class Example:
    size: float = 1.0
    name: str | None = None
    pair: tuple[int, ...] = ()


def test_reading_back_is_equality() -> None:
    """What was saved is what is read."""
    example = Example(2.5, "a", (1, 2))
    assert from_dict(Example, to_dict(example)) == example


def test_numbers_may_be_text() -> None:
    """The command line gives text."""
    assert from_dict(Example, {"size": "2.5"}).size == 2.5


@pytest.mark.parametrize(("values", "culprit"), [({"sise": 1}, "sise"), ({"size": "big"}, "size")])
def test_a_wrong_name_or_value_is_named(values: dict[str, object], culprit: str) -> None:
    """The message is one line that names the culprit."""
    with pytest.raises(InputError, match=culprit) as caught:
        from_dict(Example, values)
    assert "\n" not in str(caught.value)
