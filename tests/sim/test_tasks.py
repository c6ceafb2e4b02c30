"""Tasks: what is correct, what is shown, and that no prompt is in two sets."""

import jax
import numpy as np
import pytest

from rlsignal.sim.policies import Network, Sequence, log_probabilities, number, responses, spelled
from rlsignal.sim.tasks import ModularAddition, Teacher

KEY = jax.random.key(4)
SMALL = Network(widths=(8,), choices=5)
TASKS = {
    "teacher": Teacher(SMALL, demonstrations=40, prompts=30),
    "many answers": Teacher(SMALL, demonstrations=40, prompts=30, correct=4),
    "sequences": Teacher(Sequence(width=16, tokens=3, choices=5), demonstrations=40, prompts=30),
    "modular addition": ModularAddition(modulus=7, demonstrations=19, prompts=15),
}
drawn_by = jax.jit(lambda task, key, noise: task(key, noise), static_argnums=0)


def draw(task, key=KEY, noise=0.0):
    return drawn_by(task, key, noise)


every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())


@every_task
class TestEveryTask:
    def test_no_prompt_is_in_two_sets(self, task):
        drawn = draw(task)
        features = np.concatenate([x.features for x in drawn])
        assert len(np.unique(features, axis=0)) == len(features) == task.demonstrations + 2 * task.prompts

    def test_correct_responses_differ(self, task):
        answers = np.sort(np.concatenate([x.answers for x in draw(task)[1:]]), -1)
        assert np.all(np.diff(answers, axis=-1) > 0)

    def test_keys_decide(self, task):
        jax.tree.map(np.testing.assert_array_equal, draw(task, KEY, 0.3), draw(task, KEY, 0.3))
        assert not np.array_equal(draw(task).fresh.features, draw(task, jax.random.key(5)).fresh.features)

    def test_noise_touches_nothing_but_what_is_shown(self, task):
        clean, noisy = draw(task), draw(task, KEY, 0.5)
        jax.tree.map(np.testing.assert_array_equal, clean[1:], noisy[1:])
        assert not np.array_equal(clean.demonstrations.tokens, noisy.demonstrations.tokens)


class TestTeacher:
    def test_answers_are_the_likeliest_of_a_random_teacher(self):
        task = TASKS["many answers"]
        drawn = draw(task)
        log_pi = np.asarray(log_probabilities(SMALL, SMALL.init(jax.random.split(KEY, 3)[0]), drawn.fresh.features))
        np.testing.assert_array_equal(drawn.fresh.answers, np.argsort(-log_pi)[:, :4])

    def test_answers_depend_on_the_prompt(self):
        """No response is correct for more than a third of the prompts."""
        for name in ("teacher", "sequences"):
            answers = np.asarray(draw(TASKS[name]).fresh.answers)
            assert np.bincount(answers[:, 0]).max() <= 10

    def test_sequences_have_several_lengths(self):
        policy = TASKS["sequences"].policy
        tokens = np.asarray(spelled(policy, draw(TASKS["sequences"]).fresh.answers[:, 0]))
        assert len(np.unique((tokens == policy.choices - 1).sum(-1))) >= 3

    @pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
    def test_noise_is_the_share_of_tokens_that_are_incorrect(self, noise):
        """Within five standard errors; and an incorrect token is any other one, alike."""
        task = Teacher(SMALL, demonstrations=20_000, prompts=1)
        clean, noisy = (np.asarray(draw(task, KEY, x).demonstrations.tokens) for x in (0.0, noise))
        wrong = clean != noisy
        assert abs(wrong.mean() - noise) <= 5 * np.sqrt(noise * (1 - noise) / wrong.size)
        if noise:
            shifts = np.bincount((noisy - clean)[wrong] % 5, minlength=5)[1:]
            assert np.all(np.abs(shifts - shifts.mean()) < 5 * np.sqrt(shifts.mean()))

    def test_demonstrations_show_rare_answers_rarely(self):
        task = Teacher(SMALL, demonstrations=20_000, prompts=1, correct=3, rarity=4.0)
        drawn = draw(task)
        log_pi = log_probabilities(SMALL, SMALL.init(jax.random.split(KEY, 3)[0]), drawn.demonstrations.features)
        ranked = np.argsort(-np.asarray(log_pi))[:, :3]
        shown = (np.asarray(number(SMALL, drawn.demonstrations.tokens))[:, None] == ranked).mean(0)
        want = np.array([16, 4, 1]) / 21
        assert np.all(np.abs(shown - want) < 5 * np.sqrt(want * (1 - want) / 20_000))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"demonstrations": 0}, "demonstrations must be at least 1, got 0."),
            ({"prompts": 0}, "prompts must be at least 1, got 0."),
            ({"correct": 25}, "correct must be at most 24, got 25. A incorrect response is needed."),
            ({"rarity": 0.5}, "rarity must lie in [1, 1e+06], got 0.5."),
        ],
    )
    def test_impossible_tasks_are_refused(self, arguments, message):
        with pytest.raises(ValueError) as error:
            Teacher(SMALL, **arguments)
        assert str(error.value) == message


class TestModularAddition:
    def test_answers_are_sums(self):
        prompts = draw(TASKS["modular addition"]).fresh
        pairs = np.asarray(prompts.features).reshape(-1, 2, 7).argmax(-1)
        np.testing.assert_array_equal(prompts.answers[:, 0], pairs.sum(-1) % 7)

    def test_more_pairs_than_there_are_are_refused(self):
        with pytest.raises(ValueError, match=r"^prompts must be at most 15, got 16\. No pair is in two sets\.$"):
            ModularAddition(modulus=7, demonstrations=19, prompts=16)


def test_response_sets_can_be_enumerated():
    """The sizes that ship stay within 4096."""
    assert responses(Network()) == 256
    assert responses(Sequence()) == 1296
