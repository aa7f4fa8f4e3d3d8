"""Edits, their history, and the queue of doubtful places."""
