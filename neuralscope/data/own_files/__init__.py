"""Reading a person's own data from `.npz`, CSV and IDX files that nobody has checked.

    choosing ──> archives, idx, tables (with columns) ──> reading (with labels, pixels)
    which files      bytes to arrays with a role             labelled pictures, split

Every file is taken for hostile until it has been read. Nothing is unpickled; what an archive says
of its size is read before its content, and never more is unpacked than the limit; whatever is odd
ends in `Unfit`, whose text says why in a clause. Names in archives name arrays, never files.
What is not small is read in a process of its own (`confined`), with limits on memory and time.
Whatever a parser raises besides, `reading.read_here` catches: no other place does.

What the files leave open is decided in one place each, and every decision is a note for people:
which column is the label (`columns`), what a name says (`naming`), how pictures are turned
(`orientation`).
"""
