"""Positions that overlap: windows of one field, as a microscope that tiles a well sees them."""

from dataclasses import replace

from engine.simulator.parameters import SimulationParameters

COLUMNS = 8  # positions in a row
APART = 1.2  # of their size, from one position to the next, where they do not overlap

Window = tuple[slice, slice]


def corner(parameters: SimulationParameters, position: int) -> tuple[int, int]:
    """y, x px of a position (numbered from 0) on the stage."""
    apart = 1 - parameters.overlap if parameters.overlap > 0 else APART
    row, column = divmod(position, COLUMNS)
    return round(row * apart * parameters.height), round(column * apart * parameters.width)


def window(parameters: SimulationParameters, position: int) -> Window:
    """What an overlapping position sees of the whole field."""
    y, x = corner(parameters, position)
    return slice(y, y + parameters.height), slice(x, x + parameters.width)


def whole_field(parameters: SimulationParameters) -> SimulationParameters:
    """The one field that overlapping positions are windows of, with the founders of all."""
    corners = [corner(parameters, position) for position in range(parameters.positions)]
    height, width = (max(places) for places in zip(*corners, strict=True))
    return replace(
        parameters,
        positions=1,
        overlap=0.0,
        founders=parameters.founders * parameters.positions,
        height=height + parameters.height,
        width=width + parameters.width,
    )
