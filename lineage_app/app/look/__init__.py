"""Colours: of cells, fates and scores, and of the window."""
