"""The commands of the command line, one module each: `add(commands)` declares its options, `run(chosen)` does it.

Only this package and `__main__` print, show progress or read a clock. Modules load jax and matplotlib inside `run`, so
that the others start at once.
"""
