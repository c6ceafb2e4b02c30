"""What commands share: common options, progress bars, and one virtual device for each core."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from rlsignal.estimators import ESTIMATORS
from rlsignal.theory.estimators import Estimator


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, *, example: str = "--seed 1 --json"
) -> argparse.ArgumentParser:
    """A subcommand's parser, with --json."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ("" if text.endswith("?") else "."),
        epilog=f"example: rlsignal {name} {example}",
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON for machines and no progress")
    return parser


def whole(text: str) -> int:
    """What argparse makes of a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None


def number(text: str) -> float:
    """What argparse makes of a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The option --seed."""
    parser.add_argument("--seed", type=whole, default=0, help="of every random number (default %(default)s)")


def add_estimator(parser: argparse.ArgumentParser, what: str) -> None:
    """The option --estimator, by name; `what` it is for. Its value is an Estimator, or None."""
    named = {x.name: x for x in ESTIMATORS}

    def one(name: str) -> Estimator:
        if name not in named:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(named)}, got {name!r}")
        return named[name]

    parser.add_argument("--estimator", type=one, metavar="NAME", help=f"{what}: {', '.join(named)} (default GRPO)")


def prepare_jax() -> None:
    """One virtual device for each core, which XLA needs to keep all busy, and what it compiled kept for the next run.

    Settled before jax is first imported; what the user has set stays. JAX_ENABLE_COMPILATION_CACHE=false keeps nothing.
    """
    if "jax" in sys.modules:
        return
    if "device_count" not in os.environ.get("XLA_FLAGS", ""):
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={os.cpu_count()}"
        os.environ["XLA_FLAGS"] = flags.strip()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.join(cache, "rlsignal", "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


class Bar:
    """A tqdm bar for each part of a long run."""

    def __init__(self, *, silent: bool) -> None:
        self.silent, self.part, self.bar = silent, "", None

    def __enter__(self) -> "Bar":
        return self

    def update(self, part: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if part != self.part:
            self.__exit__()
            self.part, self.bar = part, tqdm(total=total, desc=part, unit="cell", disable=self.silent, leave=False)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()


class Several(argparse.Action):
    """A flag that stands for several options."""

    def __init__(self, *, values: dict[str, Any], **keywords: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **keywords)
        self.values = values

    def __call__(self, parser: Any, chosen: argparse.Namespace, *_: Any) -> None:
        for name, value in self.values.items():
            setattr(chosen, name, value)
