"""Inside the real trainer: a tiny random model, a tokenizer made here, a reward of 0 and 1."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from rlsignal import diagnose, read, track
from rlsignal.estimators import GRPO_TRL

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs
    torch = pytest.importorskip("torch", reason="torch is missing: make test-trl installs it")
    pytest.importorskip("trl", reason="trl is missing: make test-trl installs it")
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

from rlsignal.integrations.trl import SignalCallback

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
STEPS, WINDOW, GROUP = 40, 10, 8


def right(completions, **others):
    return [float("w3" in text.split()) for text in completions]


def trainer(folder, callbacks, steps=STEPS, **settings):
    words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(24))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(words), pad_token_id=0, eos_token_id=1, bos_token_id=1, **sizes)
    given = {"learning_rate": 1e-2, "logging_steps": 1, "log_completions": True, "num_completions_to_print": 0}
    arguments = GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=4 * GROUP,
        num_generations=GROUP,
        max_completion_length=6,
        max_steps=steps,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        **{**given, **settings},
    )
    prompts = Dataset.from_dict({"prompt": [f"w{i} w{j}" for i in range(6) for j in range(6)]})
    return GRPOTrainer(
        LlamaForCausalLM(config), right, arguments, prompts, processing_class=tokenizer, callbacks=callbacks
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run that learns its one trick and then has nothing left to learn from."""
    folder, said = tmp_path_factory.mktemp("run"), []
    callback = SignalCallback(window=WINDOW, say=said.append)
    run = trainer(folder, [callback])
    run.train()
    run.state.save_to_json(str(folder / "trainer_state.json"))
    return SimpleNamespace(folder=folder, callback=callback, said=said, run=run)


def test_it_warns_once_with_evidence(ran):
    assert ran.said == [ran.callback.warning]
    assert ran.callback.trend.rule == "degenerating"
    assert ran.said[0].startswith("The run is degenerating: ")
    assert f" of {8 * WINDOW} groups are degenerate in the {2 * WINDOW} rows up to step " in ran.said[0]
    assert ran.callback.trend.degenerate[-1] > 0.9


def test_it_says_what_the_dumped_completions_say(ran):
    dump = read(ran.folder / "completions")
    assert dump.correct.size == 4 * STEPS
    seen, again = ran.callback.trend, track(dump, window=WINDOW)
    assert (seen.group_size, seen.groups, seen.rule, seen.warned_at) == (GROUP, 4, again.rule, again.warned_at)
    for name in ("step", "reward", "degenerate", "low", "high", "dispersion", "from_the_mean"):
        np.testing.assert_allclose(getattr(seen, name), getattr(again, name), rtol=1e-6, err_msg=name)
    whole = diagnose(dump, GROUP)
    sizes = [4 * len(x) for x in np.split(np.arange(STEPS), STEPS // WINDOW)]
    assert whole.chosen.degenerate.value == pytest.approx(np.average(seen.degenerate, weights=sizes))


def test_it_says_what_the_saved_state_says(ran):
    again = track(ran.folder / "trainer_state.json", GROUP, window=WINDOW, groups=4)
    assert again.warning == ran.callback.warning
    np.testing.assert_array_equal(again.degenerate, ran.callback.trend.degenerate)


def test_the_trainer_computed_the_advantages_that_the_table_holds(ran):
    from pyarrow import parquet

    kinds = set()
    for file in sorted((ran.folder / "completions").glob("*.parquet")):
        rows = parquet.read_table(file).to_pydict()
        rewards = np.reshape(rows["right"], (-1, GROUP))
        theirs = np.reshape(rows["advantage"], (-1, GROUP))
        np.testing.assert_allclose(theirs, GRPO_TRL.advantages(rewards), rtol=2e-6, atol=2e-7)
        kinds |= set(rewards.sum(1).tolist())
    assert len(kinds) >= 7  # of the nine groups there are


def test_it_changes_nothing(ran, tmp_path):
    alone = trainer(tmp_path, None)
    alone.train()
    for mine, theirs in zip(alone.model.parameters(), ran.run.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    "settings", [{"scale_rewards": "batch"}, {"multi_objective_aggregation": "normalize_then_sum"}]
)
def test_a_column_that_counts_no_groups_is_refused_and_the_run_goes_on(tmp_path, settings):
    said = []
    callback = SignalCallback(window=2, say=said.append)
    run = trainer(tmp_path, [callback], steps=4, **settings)
    run.train()
    assert run.state.global_step == 4
    assert callback.trend is None
    assert len(said) == 1
    assert "is about the batch, not about groups" in said[0]


def history(rows, **more):
    return SimpleNamespace(log_history=[{"step": i, **row} for i, row in enumerate(rows, 1)], **more)


def watched(rows, say=None, window=10, resumed=0):
    """What the callback makes of rows that a trainer logs one after the other, the first `resumed` of them before."""
    said = []
    callback = SignalCallback(window=window, say=say or said.append)
    args = SimpleNamespace(num_generations=8, generation_batch_size=512)
    state = history(rows[:resumed], is_world_process_zero=True)
    callback.on_train_begin(args, state, None)
    for i in range(resumed, len(rows)):
        state.log_history.append({"step": i + 1, **rows[i]})
        callback.on_log(args, state, None, logs=rows[i])
    return callback, said


DEGENERATING = [{"reward": 0.3, "frac_reward_zero_std": min(0.3 + i / 60, 1.0)} for i in range(60)]


class TestRows:
    def test_rewards_that_are_nan_at_first_are_waited_for(self):
        nan = [{"reward": float("nan"), "frac_reward_zero_std": float("nan")}] * 12
        alone, _ = watched(DEGENERATING)
        callback, said = watched(nan + DEGENERATING)
        assert len(said) == 1
        assert callback.trend.degenerate.tolist() == alone.trend.degenerate.tolist()

    def test_evaluation_rows_are_passed_over(self):
        rows = [row for x in DEGENERATING for row in (x, {"eval_loss": 0.1, "eval_reward": 0.9})]
        alone, said_alone = watched(DEGENERATING)
        callback, said = watched(rows)
        assert callback.trend.degenerate.tolist() == alone.trend.degenerate.tolist()
        assert len(said) == len(said_alone) == 1

    def test_a_resumed_run_is_seen_whole(self):
        alone, said_alone = watched(DEGENERATING)
        callback, said = watched(DEGENERATING, resumed=30)
        assert said == said_alone
        assert callback.trend.degenerate.tolist() == alone.trend.degenerate.tolist()

    def test_one_who_listens_badly_does_not_stop_the_run(self, caplog):
        def fail(sentence):
            raise ConnectionError("chat is down")

        callback, _ = watched(DEGENERATING, say=fail)
        assert callback.warning
        assert "The sentence could not be passed on" in caplog.text

    def test_a_graded_sum_of_rewards_still_counts_its_groups(self):
        rows = [{**row, "reward": 1.7} for row in DEGENERATING]
        callback, said = watched(rows)
        assert len(said) == 1
        assert "degenerat" in said[0]
        assert callback.trend.degenerate[-1] > 0.9

    def test_a_row_costs_the_same_late_in_a_run(self):
        """Counted, not timed: the whole trend is made when a rule fires or it is asked for, and not in each row."""
        made = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("rlsignal.integrations.trl.track", lambda *args, **kwargs: made.append(args))
            watched([{"reward": 0.3, "frac_reward_zero_std": 0.3}] * 300)
        assert made == []


def mostly(completions, **others):
    return [0.5 * ("w4" in text.split()) for text in completions]


class TestRealTrainer:
    def test_several_reward_functions_and_rows_of_several_steps(self, tmp_path):
        said = []
        callback = SignalCallback(window=4, say=said.append)
        run = trainer(tmp_path, [callback], steps=24, logging_steps=3)
        run.reward_funcs = [right, mostly, right]
        run.reward_func_names = ["right", "mostly", "again"]
        run.reward_weights = torch.ones(3)
        run.reward_processing_classes = [None] * 3
        run.train()
        assert run.state.global_step == 24
        trend = callback.trend
        logged = [row["frac_reward_zero_std"] for row in run.state.log_history if "frac_reward_zero_std" in row]
        assert len(logged) == 8
        np.testing.assert_allclose(trend.degenerate, np.reshape(logged, (-1, 4)).mean(1))
        assert not any("cannot be watched" in sentence for sentence in said)

    def test_a_reward_that_is_nan_first(self, tmp_path):
        def late(completions, **others):
            calls.append(1)
            return [float("nan") if len(calls) <= 2 else x for x in right(completions)]

        calls, said = [], []
        callback = SignalCallback(window=2, say=said.append)
        run = trainer(tmp_path, [callback], steps=8)
        run.reward_funcs = [late]
        run.train()
        assert run.state.global_step == 8
        assert callback.trend is not None
        assert not any("cannot be watched" in sentence for sentence in said)

    def test_a_listener_that_raises(self, tmp_path):
        def fail(sentence):
            raise ConnectionError("chat is down")

        run = trainer(tmp_path, [SignalCallback(window=2, say=fail)], steps=4, scale_rewards="batch")
        run.train()
        assert run.state.global_step == 4
