"""The mathematics: numpy and scipy only, no randomness, no files.

passrates (how often) -> estimators (what it is worth) -> objective (where it goes); signal, passk, dynamics and
estimation ask the questions; exact and derivations check the answers.
"""
