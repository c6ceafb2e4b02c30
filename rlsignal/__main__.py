"""The command line, `rlsignal COMMAND`: one module of `rlsignal.commands` each, all with --json for machines."""

import argparse
import os
import re
import sys
from collections.abc import Sequence

import rlsignal
from rlsignal.commands import compare, diagnose, group_size, ladder, track, verify
from rlsignal.commands import map as inversion_map
from rlsignal.commands.data import COLUMNS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 where a claim failed, 2 for bad input, 130 when interrupted."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"rlsignal {chosen.command}: {_as_options(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resume = (
            " Finished blocks are kept: run the same command to go on." if chosen.command in ("map", "ladder") else ""
        )
        print(f"rlsignal {chosen.command}: interrupted.{resume}", file=sys.stderr)
        return 130


def _as_options(message: str) -> str:
    """The reader's errors name arguments of Python, reward='accuracy'; here they are options, --reward accuracy."""
    names = "|".join((*COLUMNS, "threshold"))
    message = re.sub(rf"\b({names})='([^']*)'", r"--\1 '\2'", message)
    message = re.sub(rf"\b({names})=(?=[\s,.;)])", r"--\1", message)
    return re.sub(r"\bgroup_size=(?=[\s,.;)])", "--rollouts-per-group", message)


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
    sys.exit(main())
