"""A way out that a command names is one that it has, and that works when it is followed to the letter."""

import json
import re

import pytest

from rlsignal.__main__ import _parser, main


@pytest.fixture
def files(tmp_path):
    """Files that leave a command something to ask for."""
    rows = {
        "log": [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200, "loss": 0} for t in range(80)],
        "means": [{"step": t, "reward": t % 9 / 8, "loss": 0} for t in range(80)],
        "several": [
            {"checkpoint": k, "prompt": i, "n": 8, "c": (3 * i + (k == "b")) % 9} for k in "ab" for i in range(40)
        ],
        "texts": [{"reward": i % 2, "text": f"a{i}"} for i in range(64)],
        "coarse": [{"step": t, "reward": 0.3, "frac_reward_zero_std": t % 2, "loss": 0} for t in range(80)],
    }
    for name, each in rows.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in each))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *((command, "log") for command in ("track", "diagnose", "group-size")),
        *((command, "texts") for command in ("diagnose", "group-size")),
        ("diagnose", "means"),
        ("group-size", "several"),
    ],
)
def test_a_way_out_is_an_option_of_this_command_and_works(files, capsys, command, name):
    arguments = [command, str(files / f"{name}.jsonl")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    known = {
        x for action in _parser()._subparsers._group_actions[0].choices[command]._actions for x in action.option_strings
    }
    assert set(re.findall(r"--[a-z-]+", said)) <= known
    way_out = re.search(r": (--[a-z-]+) (\d+) if |give (--rollouts-per-group)|^rlsignal [a-z-]+: (--at) ", said)
    option = next(filter(None, way_out.group(1, 3, 4)))
    assert main([*arguments, option, way_out[2] or ("a" if option == "--at" else "8")]) == 0


@pytest.mark.parametrize(
    ("typed", "argument", "option", "then"),
    [
        ("track coarse --group-size 8", "groups=", "--groups 20", "20 a row"),
        ("diagnose several", "checkpoint=", "--at b", "checkpoint b"),
    ],
)
def test_a_note_names_the_option_too(files, capsys, typed, argument, option, then):
    command, name, *more = typed.split()
    arguments = [command, str(files / f"{name}.jsonl"), *more]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert f"{option.split()[0]} " in said
    assert argument not in said
    assert then not in said
    assert main([*arguments, *option.split()]) == 0
    assert then in capsys.readouterr().out
