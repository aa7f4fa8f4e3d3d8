"""All that a person can do, in one table: menus, keys, the command palette and the sheet of keys are made from it."""

from dataclasses import dataclass

ALWAYS, PROJECT, CELLS, FOCUS, EDIT = "always", "project", "cells", "focus", "edit"  # what must be there


@dataclass(frozen=True)
class Action:
    """One thing to do. name : of the window's method `do_<name>`; keys : Qt's names; needs : what must be there."""

    name: str
    text: str
    keys: tuple[str, ...]
    menu: str
    tip: str
    needs: str = PROJECT
    is_switch: bool = False


MENUS = ("File", "Edit", "Review", "Fate", "View", "Go", "Select", "Help")
ACTIONS = (
    Action("open", "Open a project…", ("Ctrl+O",), "File", "a folder NAME.lineage", ALWAYS),
    Action("import", "Import a movie…", ("Ctrl+I",), "File", "make a project from images or masks", ALWAYS),
    Action("demo", "Try the demo", (), "File", "simulate a small movie and track it", ALWAYS),
    Action("track", "Segment and track", ("Ctrl+R",), "File", "do the steps that are not up to date"),
    Action("segment", "Find cells…", ("Ctrl+T",), "File", "try parameters on this frame, then use them for all"),
    Action("teach", "Teach the network…", (), "File", "to find cells as in the masks you drew or found right", CELLS),
    Action("export", "Export…", ("Ctrl+E",), "File", "the genealogies for other programs, as they stand", CELLS),
    Action("report", "Write the report", (), "File", "one page with counts, genealogies, doubts; opens it", CELLS),
    Action("close", "Close the project", ("Ctrl+W",), "File", "back to the start page"),
    Action("quit", "Quit", ("Ctrl+Q",), "File", "nothing needs saving", ALWAYS),
    Action("undo", "Undo", ("Ctrl+Z",), "Edit", "take back the last edit", EDIT),
    Action("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Edit", "do again what was undone", EDIT),
    Action("add", "Add a cell", ("A",), "Edit", "at the mouse; the focused cell goes on there if it has ended", EDIT),
    Action("copy", "Copy the contour here", ("V",), "Edit", "the focused cell's last one, where it was lost", EDIT),
    Action("link", "Link", ("L",), "Edit", "the focused cell to the one under the mouse", EDIT),
    Action("cut", "Cut", ("B",), "Edit", "from what came before, from this frame on", EDIT),
    Action("swap", "Swap from here on", ("S",), "Edit", "the focused cell and the one under the mouse", EDIT),
    Action("merge", "Merge", ("M",), "Edit", "the cell under the mouse into the focused one", EDIT),
    Action("split", "Split into two", ("X",), "Edit", "touching cells that were found as one", EDIT),
    Action("finer", "Find again, finer", ("R",), "Edit", "segment around the cell anew", EDIT),
    Action("coarser", "Find again, coarser", ("Shift+R",), "Edit", "segment around the cell anew", EDIT),
    Action("delete", "Delete", ("D", "Del"), "Edit", "the cell in this frame", EDIT),
    Action(
        "delete_cells", "Delete the whole cell", ("Shift+D",), "Edit", "in all frames; or all that are selected", EDIT
    ),
    Action("division", "Division", ("Y",), "Edit", "of the focused cell: pick its daughters; again: undo it", EDIT),
    Action("died", "Died", ("K",), "Edit", "the cell ended so; again: take it back", EDIT),
    Action("left", "Left the field", ("W",), "Edit", "the cell ended so; again: take it back", EDIT),
    Action("lost", "Lost", ("U",), "Edit", "the cell ended so, or it is not clear how", EDIT),
    *(
        Action(f"mark_{n}", f"Mark {n}", (str(n),), "Edit", "fate or onset seen here; again: take it back", EDIT)
        for n in range(1, 10)
    ),
    Action("note", "Note…", ("Shift+N",), "Edit", "write a note to the cell in this frame", EDIT),
    Action("right", "Right", ("H",), "Edit", "the cell was looked at and is right; again: take it back", EDIT),
    Action("wrong", "Wrong", ("Shift+H",), "Edit", "the cell was looked at and is wrong", EDIT),
    Action("paint", "Paint masks", ("N",), "Edit", "draw and erase with a brush", EDIT, is_switch=True),
    Action("knife", "Cut a mask along a line", ("Shift+X",), "Edit", "two cells found as one", EDIT, is_switch=True),
    Action("next_place", "Next doubtful place", ("Space",), "Review", "the worst that nobody looked at yet", CELLS),
    Action("previous_place", "Previous doubtful place", ("Shift+Space",), "Review", "", CELLS),
    Action("mend", "Do what is suggested", ("J",), "Review", "the edit that most likely makes the place right", EDIT),
    Action(
        "other_repair", "Suggest something else", ("Shift+J",), "Review", "the next likeliest edit, where any", EDIT
    ),
    Action("accept", "Accept and go on", ("Return", "Enter"), "Review", "the doubtful place is right as it is", EDIT),
    Action("sample", "Judge a random sample", (), "Review", "how many errors are left; draws cells, or goes on", EDIT),
    Action("cell_right", "Drawn cell is right", ("Z",), "Review", "and on to the next", EDIT),
    Action("cell_wrong", "Drawn cell is not right", ("Shift+Z",), "Review", "and on to the next", EDIT),
    Action("train", "Train a model…", (), "Fate", "on cells of known fate, of this project and others"),
    Action("predict", "Predict with a model…", (), "Fate", "a score for every cell, frame by frame", CELLS),
    Action("why", "Why this score?", ("Shift+F",), "Fate", "what the model sees in the cell; again: hide it", FOCUS),
    Action("fit", "Fit to the window", ("0",), "View", "movie and genealogies as a whole; again: genealogies to read"),
    Action("zoom_in", "Nearer", ("+", "="), "View", "also the wheel"),
    Action("zoom_out", "Farther", ("-",), "View", "also the wheel"),
    Action("outlines", "Outlines", ("O",), "View", "the outlines of the cells", CELLS, is_switch=True),
    Action("tails", "Tails", ("T",), "View", "where cells were in the last frames", CELLS, is_switch=True),
    Action("ids", "Numbers", ("I",), "View", "the cells' numbers", CELLS, is_switch=True),
    Action("colour", "Next colouring", ("C",), "View", "genealogy, cell, generation, area, markers", CELLS),
    Action("one_tree", "Only this genealogy", ("G",), "View", "or all of the position", CELLS, is_switch=True),
    Action("dark", "Dark", ("Ctrl+D",), "View", "dark or light", ALWAYS, is_switch=True),
    Action("larger", "Larger text", ("Ctrl++", "Ctrl+="), "View", "", ALWAYS),
    Action("smaller", "Smaller text", ("Ctrl+-",), "View", "", ALWAYS),
    Action("play", "Play", ("P",), "Go", "or stop", is_switch=True),
    Action("next", "Next frame", (".",), "Go", ""),
    Action("previous", "Previous frame", (",",), "Go", ""),
    Action("ten_on", "10 frames on", ("PgDown",), "Go", ""),
    Action("ten_back", "10 frames back", ("PgUp",), "Go", ""),
    Action("first", "First frame", ("Home",), "Go", ""),
    Action("last", "Last frame", ("End",), "Go", ""),
    Action("down", "Along the cell", ("Down",), "Go", "one frame later, on to a daughter after a division"),
    Action("up", "Back along the cell", ("Up",), "Go", "one frame earlier, back to the mother"),
    Action("sister", "To the sister", ("Right", "Left"), "Go", "the sister, or that of the nearest ancestor", FOCUS),
    Action("to_birth", "To its birth", ("Alt+Up",), "Go", "again: to the mother's", FOCUS),
    Action("to_end", "To its end", ("Alt+Down",), "Go", "again: to the daughter's", FOCUS),
    Action("centre", "Centre on the cell", ("F",), "Go", "and near enough to see it", FOCUS),
    Action("find", "Find a cell", ("Ctrl+F",), "Go", "by number, end, or conditions", CELLS),
    Action("back", "Back", ("Q", "Alt+Left"), "Go", "where you were before"),
    Action("forward", "Forward", ("E", "Alt+Right"), "Go", ""),
    Action("next_position", "Next position", ("Ctrl+PgDown",), "Go", ""),
    Action("previous_position", "Previous position", ("Ctrl+PgUp",), "Go", ""),
    Action("select_progeny", "Select its progeny", ("Ctrl+P",), "Select", "the cell and all that come from it", FOCUS),
    Action("select_genealogy", "Select its genealogy", ("Ctrl+G",), "Select", "from the founder on", FOCUS),
    Action("clear", "Focus and select nothing", ("Esc",), "Select", "", CELLS),
    Action("palette", "All commands…", ("Ctrl+Shift+P",), "Help", "type what you want to do", ALWAYS),
    Action("keys", "Keys…", ("?",), "Help", "all keys on one page, to read and to change", ALWAYS),
)
