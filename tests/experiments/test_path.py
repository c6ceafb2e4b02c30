"""The ladder's path on the map, and entropy inside the classes at other starts."""

import numpy as np
import pytest

from experiments.entropy_inside import entropy_inside
from experiments.path import placed, read_off

ROWS, RATES = np.array([0.0, 1.0, 4.0]), np.array([0.1, 0.2, 0.4])


def face(values):
    outcome = [values.tolist(), (values / 2).tolist()]
    return {"rows": ROWS.tolist(), "pass_rates": RATES.tolist(), "outcome": outcome, "dispersion": values.tolist()}


def test_points_are_read_off_between_the_grid_s():
    plane = 0.1 * ROWS[:, None] + RATES
    found = read_off(face(plane), plane, np.array([0.5, 2.5]), np.array([0.15, 0.3]))
    np.testing.assert_allclose(found, [0.2, 0.55], rtol=1e-12)


def test_beyond_the_grid_its_edge_is_read_and_no_start_is_nan():
    plane = np.where(ROWS[:, None] > 1, -1.0, RATES)  # -1 where no start exists
    found = read_off(face(plane), plane, np.array([-1.0, 4.0]), np.array([0.9, 0.1]))
    assert found[0] == pytest.approx(0.4)
    assert np.isnan(found[1])


def test_a_path_is_placed_by_entropy_of_the_response():
    plane = np.broadcast_to(0.2 * ROWS[:, None], (3, 3))
    ladder = {
        "fresh_pass_at_1": {"before": [0.1, 0.2]},
        "token_entropy": {"before": [1.0, 0.5]},
        "dispersion": {"before": [0.0, 1.0]},
        "after": [0.3, 0.2],
        "depths": [0, 10],
    }
    found = placed({"entropy": face(plane), "dispersion": face(plane)}, ladder)
    np.testing.assert_allclose(found["on_map"]["entropy"][0], [0.4, 0.2])  # two tokens: twice the nats per token
    np.testing.assert_allclose(found["on_map"]["dispersion"][1], [0.0, 0.1])


@pytest.mark.slow
def test_entropy_inside_the_classes_slows_rare_successes():
    rare = (0.01, 0.0, 32, 2, 30)
    (found,) = entropy_inside((rare,), draws=2, prompts=16, ways=("mean field",))["starts"]
    assert found["miss"] < 1e-6
    assert found["nats"][1] > found["nats"][0]
    assert found["law"] == [1, 0]  # p_c lies on either side of 0.01
    assert found["mean field"]["after"][0] > 0.5 > found["mean field"]["after"][1]
