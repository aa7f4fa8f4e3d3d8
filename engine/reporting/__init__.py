"""The sections of the report: each a pure function from the findings to a piece of HTML."""
