"""The life of one cell, and the table of all."""
