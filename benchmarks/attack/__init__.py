"""Attacks that anyone can repeat: what is done to a run, its store, its files and its programs.

    python -m benchmarks.attack.kills --cases 1000    # processes killed, stopped, taken over
    python -m benchmarks.attack.damage --cases 2000   # files and rows of a store damaged
    python -m benchmarks.attack.inputs --cases 10000  # altered files, addresses, arguments
    python -m benchmarks.attack.faults                # full disk, held lock, clock, devices...

Each has `--seed` (the same seed, the same cases) and `--case N` (one of them alone), prints what it
has found and, as its last line, a summary in JSON; it exits with 1 if anything was lost.

workers     cases in processes that are watched: for death, hanging and memory
report      what was found, as text and as the JSON of the last line
mutations   altered bytes, by format and by seed
specimens   sound files of every kind, to be altered
rooms       stores with runs in them, and processes that train
"""
