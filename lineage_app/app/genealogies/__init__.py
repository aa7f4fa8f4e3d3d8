"""The genealogies: where branches stand, how they are drawn and dragged."""
