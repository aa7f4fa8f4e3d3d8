"""The parts of the checks; use them through engine.checks."""
