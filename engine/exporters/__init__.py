"""Writers of the formats that `engine.export` offers: write(project, lineage, temporary, out, progress).

Each writes a file or folder at `temporary`, which the caller then renames to `out`.
"""
