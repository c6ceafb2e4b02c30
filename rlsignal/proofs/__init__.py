"""Why it is true: exact enumeration, claims held against it and against Monte Carlo, and derivations step by step.

No mathematics imports this package. `verify` runs every claim, `certify` looks at one estimator,
`rlsignal.proofs.derivations` shows every proof.
"""

from rlsignal.proofs.certificate import Certificate as Certificate
from rlsignal.proofs.certificate import certify as certify
