"""The commands of the command line, one module each: `add(commands)` declares its options, `run(chosen)` does it.

Only this room and `__main__` print, show progress or read a clock. A module loads jax and matplotlib inside `run`, so
that the others start at once.
"""
