"""All that a person can do, by menu, key or name."""
