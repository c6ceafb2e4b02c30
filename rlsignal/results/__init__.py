"""What the library hands back: result types with their printed form. numpy and the standard library only."""

from rlsignal.results.inversion import Control, Face, InversionMap
from rlsignal.results.ladder import Curves, EntropySwap, Ladder, Reading
from rlsignal.results.verification import Check, Verification

__all__ = [
    "Check",
    "Control",
    "Curves",
    "EntropySwap",
    "Face",
    "InversionMap",
    "Ladder",
    "Reading",
    "Verification",
]
