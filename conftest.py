"""Docstring examples see the public names, as a reader who typed `from rlsignal import *` would."""

import pytest

import rlsignal


@pytest.fixture(autouse=True)
def public_names(doctest_namespace: dict) -> None:
    doctest_namespace.update({name: getattr(rlsignal, name) for name in rlsignal.__all__})
