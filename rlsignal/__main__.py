"""The command line, `rlsignal COMMAND`: one module of `rlsignal.commands` each, all with --json for machines."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal._show import visible
from rlsignal.commands import compare, diagnose, group_size, ladder, track, verify
from rlsignal.commands import map as inversion_map
from rlsignal.commands.data import as_typed

INTERRUPTED = 130


def entry() -> None:
    """What `rlsignal` and `python -m rlsignal` run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 gets escapes, not a traceback
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where a shell had it ignored
        signal.signal(signal.SIGINT, _interrupted)
    sys.exit(main())


def _interrupted(*_: Any) -> None:
    """End the process on Ctrl-C, wherever it stands.

    No exception, which the code that it falls into may swallow, such as a callback of the compiler; and no teardown,
    which the compiler's threads do not survive. Files are written whole or not at all, so nothing is lost.
    """
    try:
        store.discard_unfinished()
        simulates = sys.argv[1:2] in (["map"], ["ladder"])
        resume = b" Finished blocks are kept: run the same command to go on." if simulates else b""
        os.write(2, b"\nrlsignal: interrupted." + resume + b"\n")
    finally:
        os._exit(INTERRUPTED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    The exit status is 0, 1 where a claim failed or a requirement is not met, 2 for bad input, 3 where the samples do
    not decide a requirement; an interrupt ends the process with 130.
    """
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = _explained(error, chosen)
        if sentence is None:  # a mistake of ours: the traceback is what we need to see
            raise
        print(f"rlsignal {chosen.command}: {visible(sentence)}", file=sys.stderr)
        return 2


def _explained(error: Exception, chosen: argparse.Namespace) -> str | None:
    """What went wrong and what to do, in one line; None for what is not the caller's."""
    text = as_typed(" ".join(str(error).split()), chosen)
    if isinstance(error, OSError) and error.strerror:  # the system's own
        where = f": {os.fsdecode(error.filename)[:200]!r}" if isinstance(error.filename, str | bytes) else ""
        return f"{error.strerror}{where}."
    if isinstance(error, ValueError | OSError | ModuleNotFoundError):
        return text
    if isinstance(error, MemoryError):
        return f"out of memory ({text or 'no details'}). Give a smaller file, fewer prompts, or a smaller --width."
    if isinstance(error, OverflowError):
        return f"a number is too large to compute with ({text}). Check the largest number of the input."
    if isinstance(error, RuntimeError) and type(error).__module__.startswith(("jax", "jaxlib")):
        way_out = "On a device that is full give a smaller --width; without one set JAX_PLATFORMS=cpu."
        return f"jax failed: {text[:300]}. {way_out}"
    if isinstance(error, RuntimeError) and " failed in a worker: " in text:
        return f"{text[:600]} Finished blocks are kept: look at the workers' logs, and run the same command to go on."
    if isinstance(error, RuntimeError) and "backend" in text:
        return f"jax finds no such device: {text[:300]}. Set JAX_PLATFORMS=cpu, or install rlsignal[cuda]."
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rlsignal", description="Does this checkpoint, with this group size, still give RL a signal?"
    )
    parser.add_argument("--version", action="version", version=f"rlsignal {rlsignal.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (diagnose, compare, track, group_size, verify, inversion_map, ladder):
        module.add(commands)
    return parser


if __name__ == "__main__":
    entry()
