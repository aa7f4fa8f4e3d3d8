"""Writers of the formats that `engine.export` offers: write(project, lineage, keep, temporary, out, progress).

Each writes the cells kept, (C,) bool, whole genealogies of them, to a file or folder at `temporary`, which the caller
then renames to `out`.
"""
