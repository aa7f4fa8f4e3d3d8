"""Our own cell linker: who is whose successor, decided by likelihoods whose scales are estimated from the movie."""

from engine.linking.linker import Limits, link_cells

__all__ = ["Limits", "link_cells"]
