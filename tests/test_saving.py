"""What is saved is loaded again, whole; what was changed, damaged or is another's is refused with the reason."""

import json
import subprocess
import sys
import types
import zipfile
from dataclasses import dataclass, fields, replace
from typing import Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import experiments.matched_starts
import experiments.mitigations
import experiments.predictors
from rlsignal import GRPO, Estimate, diagnose, load, save, saving
from rlsignal._show import Result

STUDIES = (experiments.matched_starts, experiments.mitigations, experiments.predictors)
KINDS = {name: kind for name, kind in Result.kinds.items() if kind.__module__.startswith(("rlsignal", "experiments"))}


def same(one, two):
    if isinstance(one, np.ndarray):
        return isinstance(two, np.ndarray) and one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)
    if isinstance(one, tuple):
        return isinstance(two, tuple) and len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, Result):
        return type(one) is type(two) and all(same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    return one == two or (one != one and two != two)


def made(hint, axes=""):
    """Some value of a field's type; arrays have three entries along each of their axes."""
    origin, inner = get_origin(hint), get_args(hint)
    if hasattr(origin, "__value__"):  # an alias, as numpy's NDArray is from 2.5 on
        origin = get_origin(origin.__value__)
    if isinstance(hint, type) and issubclass(hint, Result):
        return example(hint)
    if np.ndarray in (hint, origin):
        return np.arange(3.0 ** len(axes.split())).reshape((3,) * len(axes.split())) / 7
    if origin in (Union, types.UnionType):
        return made(inner[0], axes)
    if origin is tuple:
        return (made(inner[0]),) * 2 if inner[1:] == (...,) else tuple(map(made, inner))
    if origin is dict:
        return {made(inner[0]): made(inner[1])}
    return {int: 2**60 + 1, float: float("nan"), str: 'a "quoted" \udcff name', bool: True}.get(hint, "anything")


def example(kind):
    hints = get_type_hints(kind)
    return kind(**{f.name: made(hints[f.name], kind.axes.get(f.name, "X")) for f in fields(kind) if f.init})


@dataclass(frozen=True, eq=False, repr=False)
class _Holder(Result):
    values: object


class TestRoundTrip:
    @pytest.mark.parametrize("name", KINDS)
    def test_every_kind_of_result_comes_back(self, name, tmp_path):
        result = example(KINDS[name])
        assert same(load(save(result, tmp_path / "kept")), result)

    def test_the_registry_knows_them(self):
        assert {"Estimate", "Diagnosis", "InversionMap", "Ladder", "Verification", "Rollouts"} <= KINDS.keys()
        assert {kind.__module__ for kind in KINDS.values()} >= {study.__name__ for study in STUDIES}

    def test_importing_the_library_is_enough_to_load_any_of_its_kinds(self):
        code = "import rlsignal; from rlsignal._show import Result; print(*Result.kinds)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        own = {name for name, kind in KINDS.items() if kind.__module__.startswith("rlsignal")}
        assert own <= set(done.stdout.split())

    def test_a_map_comes_back(self, small_map, tmp_path):
        written = save(small_map, tmp_path / "new" / "folder" / "map")
        assert same(small_map, load(written))
        assert same(small_map, load(tmp_path / "new" / "folder" / "map"))

    def test_a_ladder_comes_back(self, small_ladder, tmp_path):
        assert same(small_ladder, load(save(small_ladder, tmp_path / "ladder")))

    def test_a_dot_in_the_name_is_no_suffix(self, small_map, tmp_path):
        assert save(small_map, tmp_path / "map.v1.2").name == "map.v1.2.npz"
        assert same(small_map, load(tmp_path / "map.v1.2"))

    def test_arrays_in_one_container_stay_apart(self, tmp_path):
        one, two, three = np.arange(2), np.arange(3), np.arange(4)
        for values in ({"a": one, "b": two}, (one, two), {"a": (one, two), "b": {"a": three}}):
            kept = _Holder(values)
            assert same(load(save(kept, tmp_path / "held")), kept)

    def test_numpy_reads_the_arrays(self, small_map, tmp_path):
        with np.load(save(small_map, tmp_path / "map"), allow_pickle=False) as arrays:
            assert np.array_equal(arrays["inverted_share"], small_map.inverted_share)


class TestProvenance:
    def test_it_says_where_it_came_from(self, small_map, tmp_path):
        found = document(save(small_map, tmp_path / "map", provenance={"device": "toaster"}))["provenance"]
        assert found["device"] == "toaster"
        assert {"rlsignal", "numpy", "jax"} <= found["versions"].keys()
        assert found["command"]

    def test_a_saved_map_plots_without_jax(self, small_map, tmp_path):
        save(small_map, tmp_path / "map")
        code = (
            "import sys; sys.modules['jax'] = None; import matplotlib; matplotlib.use('Agg'); import rlsignal; "
            f"from rlsignal import plots; plots.plot_map(rlsignal.load({str(tmp_path / 'map')!r})).savefig("
            f"{str(tmp_path / 'map.png')!r})"
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
        assert (tmp_path / "map.png").stat().st_size > 10_000


class TestWhatIsSaved:
    @pytest.mark.parametrize("other", [{}, 3, None, [1, 2], Estimate], ids=repr)
    def test_only_results(self, other, tmp_path):
        with pytest.raises(
            ValueError, match=r"^result must be something that the library handed back \(.*InversionMap"
        ):
            save(other, tmp_path / "it")

    def test_no_functions(self, tmp_path):
        with pytest.raises(ValueError, match=r"^result must hold numbers and text, got function in how\.$"):
            save(Estimate(0.5, 0.4, 0.6, how=lambda: None), tmp_path / "it")
        assert list(tmp_path.iterdir()) == []

    def test_no_objects_in_arrays(self, small_map, tmp_path):
        holding = replace(small_map, law_error=np.array([[{}]], dtype=object))
        with pytest.raises(
            ValueError, match=r"^result must hold numbers and text, got an array of object in law_error"
        ):
            save(holding, tmp_path / "it")

    def test_two_kinds_of_one_name_are_refused(self):
        with pytest.raises(TypeError, match=r"^two results are called Estimate, in rlsignal\.inference\.intervals and"):
            type("Estimate", (Result,), {"__module__": "elsewhere"})


def document(path):
    with np.load(path, allow_pickle=False) as members:
        return json.loads(members["result"].tobytes())


def rewritten(path, change, *, honest=True):
    """The file with its document changed, its digest made anew unless the change is to be seen."""
    with np.load(path, allow_pickle=False) as members:
        arrays = {name: members[name] for name in members.files if name not in ("result", "digest")}
        text, digest = members["result"].tobytes(), members["digest"]
    text = change(text)
    if honest:
        digest = saving._digest(text, arrays)
    np.savez(path, **arrays, result=np.frombuffer(text, np.uint8), digest=digest)
    return path


class TestWhatIsRefused:
    @pytest.fixture
    def kept(self, tmp_path):
        return save(diagnose([[0, 1], [1, 1]] * 30, 2), tmp_path / "kept")

    @pytest.mark.parametrize("keep", [0, 100, -40])
    def test_a_cut_file(self, kept, keep):
        kept.write_bytes(kept.read_bytes()[:keep])
        with pytest.raises(ValueError, match=r"^path must name a result that rlsignal saved, got '.*kept\.npz': "):
            load(kept)

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"^path must name a saved result, got '.*none'; .*none\.npz is no"):
            load(tmp_path / "none")

    def test_an_edited_number(self, kept):
        rewritten(kept, lambda text: text.replace(b'"prompts": 60', b'"prompts": 61'), honest=False)
        with pytest.raises(ValueError, match="it was changed after it was written, or is damaged"):
            load(kept)

    def test_arrays_of_another_result(self, small_map, tmp_path):
        one, two = save(small_map, tmp_path / "one"), save(replace(small_map, seed=1), tmp_path / "two")
        with np.load(one) as a, np.load(two) as b:
            members = {**{name: a[name] for name in a.files}, "digest": b["digest"]}
        np.savez(one, **members)
        with pytest.raises(ValueError, match="it was changed after it was written"):
            load(one)

    def test_a_newer_writer_is_named(self, kept):
        rewritten(kept, lambda text: text.replace(b'"format": 1', b'"format": 2').replace(b'"0.1.0"', b'"7.0.0"'))
        with pytest.raises(ValueError, match=r"written by rlsignal 7\.0\.0, in a newer format; update rlsignal"):
            load(kept)

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (b'"type": "Diagnosis"', b'"type": "Path"', "no result is called 'Path'"),
            (b'"prompts": 60', b'"prompts": "60"', r"Diagnosis\.prompts is not what it should be, got str"),
            (b'"prompts": 60', b'"prompts": 60.5', r"Diagnosis\.prompts is not what it should be, got float"),
            (b'"prompts": 60', b'"prompts": true', r"Diagnosis\.prompts is not what it should be, got bool"),
            (b'"prompts": 60', b'"prompts": [60]', r"Diagnosis\.prompts is not what it should be, got tuple"),
            (b'"prompts": 60', b'"people": 60', r"Diagnosis has other fields here \(people, prompts\)"),
        ],
    )
    def test_what_its_type_does_not_say(self, kept, old, new, why):
        rewritten(kept, lambda text: text.replace(old, new, 1))
        with pytest.raises(ValueError, match=why):
            load(kept)

    def test_a_file_from_before_a_field_has_its_default(self, small_map, tmp_path):
        path = save(small_map, tmp_path / "map")

        def older(text):
            document = json.loads(text)
            del document["result"]["fields"]["optimizer"]
            return json.dumps(document).encode()

        rewritten(path, older)
        assert load(path).optimizer == "sgd"

    def test_another_shape(self, small_map, tmp_path):
        path = save(replace(small_map, law_error=small_map.law_error[:, :1]), tmp_path / "map")
        with pytest.raises(ValueError, match=r"InversionMap\.law_error has the shape \[2, 1\], which is not \[G, B\]"):
            load(path)

    def test_pickles(self, kept):
        with np.load(kept) as members:
            arrays = {name: members[name] for name in members.files}
        np.savez(kept, **arrays, evil=np.array([{}], dtype=object))
        with pytest.raises(ValueError, match="Object arrays cannot be loaded when allow_pickle"):
            load(kept)

    def test_packed_members_which_could_be_bombs(self, kept):
        with np.load(kept) as members:
            arrays = {name: members[name] for name in members.files}
        np.savez_compressed(kept, **arrays, zeros=np.zeros(2**20))
        with pytest.raises(ValueError, match="packed members"):
            load(kept)

    @pytest.mark.parametrize("bomb", ["deep", "wide"])
    def test_bombs_of_references(self, kept, bomb):
        inside = b"[" * 100_000 + b"]" * 100_000 if bomb == "deep" else b"[" + b"0," * 1_100_000 + b"0]"
        rewritten(kept, lambda text: text.replace(b'"prompts": 60', b'"prompts": ' + inside))
        with pytest.raises(ValueError, match=r"nested too deeply|more than 1,000,000 values"):
            load(kept)

    def test_another_archive(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
            archive.writestr("readme.txt", "hello")
        with pytest.raises(ValueError, match=r"^path must name a result that rlsignal saved"):
            load(tmp_path / "other")


def test_own_results_are_kept_too(tmp_path):
    @dataclass(frozen=True, repr=False)
    class Mine(Result):
        share: Estimate
        by_name: dict[str, tuple[float, ...]]

    try:
        found = load(save(Mine(Estimate(0.5, 0.4, 0.6), {"a": (1.0, 2.0)}), tmp_path / "mine"))
        assert (found.share.value, found.by_name) == (0.5, {"a": (1.0, 2.0)})
    finally:
        del Result.kinds["Mine"]


def test_an_estimator_is_no_result(tmp_path):
    with pytest.raises(ValueError, match=r"got Estimator\.$"):
        save(GRPO, tmp_path / "it")
