"""What the library hands back: result types with their printed form. numpy and the standard library only."""

from rlsignal.results.advice import Advice, AdviceLine, SameRewards
from rlsignal.results.comparison import Comparison
from rlsignal.results.diagnosis import Answer, Diagnosis, Finding, GroupSize
from rlsignal.results.inversion import Control, Face, InversionMap
from rlsignal.results.ladder import Curves, EntropySwap, Ladder, Reading
from rlsignal.results.monitoring import Trend
from rlsignal.results.predictors import PredictorScore, PredictorTable
from rlsignal.results.rescues import Rescued, RescueTable
from rlsignal.results.twins import Twin, TwinTable
from rlsignal.results.verification import Check, Verification

__all__ = [
    "Advice",
    "AdviceLine",
    "Answer",
    "Check",
    "Comparison",
    "Control",
    "Curves",
    "Diagnosis",
    "EntropySwap",
    "Face",
    "Finding",
    "GroupSize",
    "InversionMap",
    "Ladder",
    "PredictorScore",
    "PredictorTable",
    "Reading",
    "RescueTable",
    "Rescued",
    "SameRewards",
    "Trend",
    "Twin",
    "TwinTable",
    "Verification",
]
