"""The simulator's arithmetic is explicit: no ranks are promoted, no dtypes mixed."""

import jax
import pytest


@pytest.fixture(autouse=True)
def strict():
    """Ranks that differ and dtypes that mix are errors."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def mixed(strict):
    """Dtypes that mix are promoted: in double precision, where settings stay single, and inside optax's Adam."""
    with jax.numpy_dtype_promotion("standard"):
        yield
