"""Why it is true: exact enumeration, claims held against it and against Monte Carlo, and derivations step by step.

No mathematics imports this package. `verify` runs every claim; `rlsignal.proofs.derivations` shows every proof.
"""
