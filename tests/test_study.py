"""A study: its statistics against other people's, its trainings after a kill, its table and pairs."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import log_loss
from statsmodels.stats import contingency_tables, multitest, proportion

from labkit import data, study, training
from labkit.errors import LabkitError
from labkit.files import content_hash
from labkit.labs.functions import lab_functions
from labkit.labs.lab import find_labs, read_lab
from labkit.study.results import MEASURES, Outcome, Results
from labkit.study.runner import _Study
from labkit.training.recipe import described
from tests.conftest import ROOT
from tests.test_any_course import header

LAB = "91_tiny"


# Statistics.


@pytest.mark.parametrize(
    ("right", "n"), [(0, 10), (10, 10), (93, 100), (9_412, 10_000)]
)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_s_interval_is_that_of_statsmodels(right, n, level):
    expected = proportion.proportion_confint(right, n, 1 - level, method="wilson")
    found = outcome(first(right, n)).interval(level)
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_a_mean_is_student_s():
    rights = [first(count) for count in (180, 186, 191)]
    found = results(
        [outcome(right, seed=seed) for seed, right in enumerate(rights)],
        ("a",),
        seeds=(0, 1, 2),
    ).table()
    shares = [right.mean() for right in rights]
    expected = stats.ttest_1samp(shares, 0).confidence_interval(0.95)
    ends = found.loc[0, ["accuracy low", "accuracy high"]].astype(float)
    assert tuple(ends) == pytest.approx(tuple(expected))


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    counts = rng.binomial(1_000, 0.93, 2_000)
    ends = {
        count: outcome(first(count, 1_000)).interval() for count in np.unique(counts)
    }
    inside = [ends[count][0] <= 0.93 <= ends[count][1] for count in counts]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_mcnemar_is_that_of_statsmodels():
    rng = np.random.default_rng(1)
    for shares in ((0.9, 0.9), (0.9, 0.7), (0.5, 0.52)):
        first, second = (rng.random(200) < share for share in shares)
        table = [
            [np.sum(first & second), np.sum(first & ~second)],
            [np.sum(~first & second), np.sum(~first & ~second)],
        ]
        expected = contingency_tables.mcnemar(table, exact=True).pvalue
        one, other = outcome(first), outcome(second)
        assert one.mcnemar(other) == pytest.approx(expected)
        assert other.mcnemar(one) == pytest.approx(expected)
    assert one.mcnemar(one) == 1.0
    with pytest.raises(ValueError, match="the same pictures"):
        one.mcnemar(outcome(second[1:]))


def test_holm_s_correction_is_that_of_statsmodels():
    rng = np.random.default_rng(2)
    for count in (1, 2, 15):
        p_values = rng.random(count) ** 3
        expected = multitest.multipletests(p_values, method="holm")[1]
        np.testing.assert_allclose(study.holm(p_values), expected)
    assert study.holm([]).tolist() == []


def test_calibration_error_by_its_definition():
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([0.4] * 4, 500)
    labels = rng.integers(0, 4, 500)
    highest, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (highest > low) & (highest <= low + 0.1)
        if inside.any():
            gap = right[inside].mean() - highest[inside].mean()
            expected += inside.mean() * abs(gap)

    def error(labels, probabilities):
        one = replace(outcome(labels == 0), labels=labels, probabilities=probabilities)
        return one.calibration_error()

    assert error(labels, probabilities) == pytest.approx(expected)
    sure = np.eye(4)[labels]
    assert error(labels, sure) == 0
    assert error((labels + 1) % 4, sure) == 1


# The plan, from a header.

SETTINGS = {"dataset": "garments", "networks": ["two_layer", "three_conv"]}


def test_a_plan_trains_a_seed_after_the_other():
    plan = study.Plan.of(
        {**SETTINGS, "augment": "random_affine", "seeds": [4, 2]}, "here"
    )
    found = [(one.seed, one.augmented, one.network) for one in plan.trainings()]
    assert found == [
        (seed, augmented, network)
        for seed in (4, 2)
        for augmented in (False, True)
        for network in ("two_layer", "three_conv")
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": 3}, "here has an unknown field 'epoch'; do you mean epochs?"),
        (
            {"networks": []},
            "here has networks: []; expected names, each once",
        ),
        ({"networks": ["vgg", "vgg"]}, "each once"),
        ({"networks": "vgg"}, "here has networks: 'vgg'"),
        (
            {"seeds": [0, 0]},
            "here has seeds: [0, 0]; expected whole numbers, each once",
        ),
        ({"epochs": 0}, "here has epochs: 0; expected a whole number above 0"),
        ({"epochs": True}, "here has epochs: True"),
        ({"held_out": 1}, "expected a share between 0 and 1"),
        ({"learning_rate": "fast"}, "expected a number above 0"),
        ({"optimizer": "adm"}, "here has optimizer: 'adm'; expected adam or sgd"),
        ({"schedule": "flat"}, "expected one of constant, cosine"),
        ({"own": {"vgg": {}}}, "settings of 'vgg''s own, which is none of its"),
        (
            {"own": {"two_layer": {"epoch": 2}}},
            "here, own two_layer, has an unknown field 'epoch'; do you mean epochs?",
        ),
        ({"own": {"two_layer": {"views": -1}}}, "own two_layer, has views: -1"),
    ],
)
def test_a_plan_that_is_none_is_refused(change, said):
    with pytest.raises(LabkitError, match=re.escape(said)):
        study.Plan.of({**SETTINGS, **change}, "here")
    with pytest.raises(LabkitError, match="here has no networks"):
        study.Plan.of({"dataset": "garments"}, "here")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"networks": ("two_layer", "vgg19")},
            "names the network 'vgg19', and nothing builds it; known: two_layer, one_conv",
        ),
        ({"augment": "turn"}, "names the augmentation 'turn', and labkit.training has"),
        ({"pictures": 5}, "gives 5 pictures, 0 of them held out"),
    ],
)
def test_a_study_of_what_is_not_there_is_refused(change, said, tmp_path):
    plan = study.Plan(**{"dataset": "garments", "networks": ("two_layer",), **change})
    with pytest.raises(LabkitError, match=re.escape(said)):
        study.run(plan, tmp_path, BUILDERS)
    assert not list(tmp_path.iterdir())


def test_a_network_with_an_augmentation_of_its_own_is_trained_with_it_alone():
    own = {"two_layer": {"augment": ""}, "three_conv": {"augment": ["random_flip"]}}
    for augment in ("", "random_affine"):
        plan = study.Plan.of({**SETTINGS, "augment": augment, "own": own}, "here")
        found = [(one.network, one.augmented) for one in plan.trainings()]
        assert found == [("two_layer", False), ("three_conv", True)]


# Training, interrupted and not.

TEXT = """
import keras
from keras import layers

def build_two_layer():
    stack = [layers.Flatten(), layers.Dense(32), layers.ReLU(), layers.Dense(10)]
    return keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Rescaling(1 / 255), *stack, layers.Softmax()]
    )

def build_one_conv():
    stack = [layers.Conv2D(8, 3, strides=2), layers.Flatten(), layers.Dense(10)]
    return keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Rescaling(1 / 255), *stack, layers.Softmax()]
    )
"""
NAMES = {}
exec(TEXT, NAMES)
BUILDERS = {name: NAMES[f"build_{name}"] for name in ("two_layer", "one_conv")}
TINY = study.Plan(
    "garments", ("two_layer", "one_conv"), seeds=(0, 1), epochs=2, pictures=240
)


@pytest.fixture(scope="module")
def tiny(environment, tmp_path_factory):
    """A finished study, its folder, and the lines that it said."""
    folder, lines = tmp_path_factory.mktemp("study"), []
    return study.run(TINY, folder, BUILDERS, announce=lines.append), folder, lines


def test_a_study_says_what_is_reached_and_what_is_left(tiny):
    results, _, lines = tiny
    assert len(lines) == 4 and lines[0].startswith("1 of 4: two_layer, plain, seed 0: ")
    assert all("left" in line for line in lines[:3]) and "left" not in lines[3]
    for line, outcome in zip(lines, results.outcomes, strict=True):
        assert f"{outcome.accuracy:.2%} of the test pictures" in line


def test_a_finished_study_trains_nothing_again(tiny):
    results, folder, _ = tiny
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    lines = []
    again = study.run(TINY, folder, BUILDERS, announce=lines.append)
    assert lines == ["4 of 4 trainings are there already."]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")} == before
    pd.testing.assert_frame_equal(again.table(), results.table())


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", None])
def test_a_damaged_file_is_trained_anew(tiny, tmp_path, damage):
    results, folder, _ = tiny
    for path in folder.glob("trainings/*.npz"):
        copy = tmp_path / "trainings" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    spoilt = tmp_path / "trainings" / "one_conv-plain-1.npz"
    content = spoilt.read_bytes()
    spoilt.write_bytes(content[: len(content) // 2] if damage is None else damage)
    lines = []
    again = study.run(TINY, tmp_path, BUILDERS, announce=lines.append)
    assert [line[:31] for line in lines[1:]] == ["4 of 4: one_conv, plain, seed 1"]
    np.testing.assert_allclose(
        again.outcomes[3].probabilities, results.outcomes[3].probabilities, atol=1e-3
    )


def test_another_setting_is_another_study(tiny, tmp_path):
    _, folder, _ = tiny
    kept = folder / "trainings" / "two_layer-plain-0.npz"
    (tmp_path / "trainings").mkdir()
    (tmp_path / "trainings" / kept.name).write_bytes(kept.read_bytes())
    lines = []
    plan = study.Plan("garments", ("two_layer",), epochs=1, pictures=240)
    study.run(plan, tmp_path, BUILDERS, announce=lines.append)
    assert len(lines) == 1 and lines[0].startswith("1 of 1: two_layer")


def test_a_study_of_before_keeps_its_trainings(tmp_path):
    """What came later enters the key of a training only where a plan uses it."""
    pictures = data.load("garments")

    def keys(**settings):
        plan = dataclasses.replace(TINY, **settings)
        ready = _Study(plan, tmp_path, BUILDERS, pictures, "none")
        return [ready._key(one, ready._model(one)) for one in plan.trainings()]

    settings = {
        "epochs": 2,
        "minutes": None,
        "pictures": 240,
        "held_out": 1 / 12,
        "batch_size": 128,
        "learning_rate": 1e-3,
    }
    one = study.Training("two_layer", False, 0)
    ready = _Study(TINY, tmp_path, BUILDERS, pictures, "none")
    model = ready._model(one)
    network = [described(model), described(BUILDERS["two_layer"])]
    parts = [settings, dataclasses.asdict(one), network, None, ready._pictures]
    assert keys()[0] == content_hash(json.dumps(parts, default=repr))

    plain = keys()
    assert keys(own={"two_layer": {"learning_rate": 1e-3}}) == plain
    for change in (
        {"optimizer": "sgd"},
        {"schedule": "constant"},
        {"views": 1},
        {"learning_rate": 0.1},
    ):
        assert not set(keys(**change)) & set(plain)
        own = keys(own={"two_layer": change})
        assert own == [keys(**change)[0], plain[1], keys(**change)[2], plain[3]]


def test_a_network_has_settings_of_its_own(tmp_path):
    own = {
        "short": {"builds": "two_layer", "epochs": 1, "augment": ("random_shift",)},
        "seen": {"builds": "two_layer", "views": 1, "optimizer": "sgd"},
    }
    plan = study.Plan("garments", ("short", "seen"), epochs=2, pictures=240, own=own)
    found = study.run(plan, tmp_path, BUILDERS, announce=lambda line: None)
    short, seen = found.of("short", True)[0], found.of("seen")[0]
    assert (len(short.rows), len(seen.rows)) == (1, 2)
    assert short.views_accuracy is None
    assert seen.views_probabilities.shape == seen.probabilities.shape
    assert not np.array_equal(seen.views_probabilities, seen.probabilities)
    again = study.run(plan, tmp_path, BUILDERS, announce=lambda line: None)
    assert again.of("seen")[0].views_accuracy == seen.views_accuracy
    assert tmp_path / "out" / "trainings.csv" in found.write(tmp_path / "out")
    # Who has the table alone reads it as the study shows it.
    written = pd.read_csv(tmp_path / "out" / "table.csv")
    pd.testing.assert_frame_equal(study.readable(written), found.summary())
    table = pd.read_csv(tmp_path / "out" / "trainings.csv")
    assert table["network"].tolist() == ["seen", "short"]  # plain ones first
    assert table["views"][0] == pytest.approx(seen.views_accuracy)
    assert np.isnan(table["views"][1])
    errors = [1 - row["accuracy"] for row in seen.rows]
    assert [float(e) for e in table["errors"][0].split()] == pytest.approx(
        errors, abs=1e-4
    )


def test_another_text_of_a_network_is_another_study(tiny, tmp_path):
    """Also where all its weights have the shapes of before."""
    _, folder, _ = tiny
    kept = folder / "trainings" / "two_layer-plain-0.npz"
    (tmp_path / "trainings").mkdir()
    (tmp_path / "trainings" / kept.name).write_bytes(kept.read_bytes())
    changed = {}
    exec(TEXT.replace("layers.ReLU()", "layers.ELU()"), changed)
    plan = dataclasses.replace(TINY, networks=("two_layer",), seeds=(0,))
    for builder, said in (
        (BUILDERS["two_layer"], "1 of 1 training is there already."),
        (changed["build_two_layer"], "1 of 1: two_layer, plain, seed 0: "),
    ):
        lines = []
        study.run(plan, tmp_path, {"two_layer": builder}, announce=lines.append)
        assert len(lines) == 1 and lines[0].startswith(said)


def test_a_training_that_is_stopped_by_hand_goes_on(tmp_path, monkeypatch):
    plan = study.Plan("garments", ("two_layer",), epochs=3, pictures=240)
    whole = study.run(plan, tmp_path / "whole", BUILDERS, announce=lambda line: None)
    saved = training.checkpoint.Checkpoint.on_epoch_end

    def stopped(self, epoch, logs=None):
        saved(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.checkpoint.Checkpoint, "on_epoch_end", stopped)
        with pytest.raises(KeyboardInterrupt):
            study.run(plan, tmp_path / "cut", BUILDERS, announce=lambda line: None)
    assert not list(tmp_path.glob("cut/trainings/*.npz"))
    again = study.run(plan, tmp_path / "cut", BUILDERS, announce=lambda line: None)
    np.testing.assert_array_equal(
        again.outcomes[0].probabilities, whole.outcomes[0].probabilities
    )
    assert not list(tmp_path.glob("cut/trainings/*.h5"))


def test_the_command_goes_on_after_a_kill(course, run_command):
    settings = (
        "#     study: {dataset: garments, networks: [two_layer],"
        " augment: random_affine, seeds: [0, 1], epochs: 1, pictures: 240}"
    )
    path = header(course, settings)
    path.write_text(path.read_text() + "\n# %%\n" + TEXT)
    folder = course.build / "study" / LAB
    command = [sys.executable, "-m", "labkit.cli", "study", "91"]
    process = subprocess.Popen(
        command, cwd=course.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(folder.glob("trainings/*.npz")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.read_bytes() for path in folder.glob("trainings/*.npz")}
    assert 1 <= len(done) < 4
    assert not (folder / "table.csv").exists()
    again = run_command("labkit", "study", "91", folder=course.root)
    assert again.returncode == 0, again.stderr
    there = "is" if len(done) == 1 else "are"
    assert f"{len(done)} of 4 trainings {there} there already." in again.stdout
    assert {path: path.read_bytes() for path in done} == done
    table = pd.read_csv(folder / "table.csv")
    assert len(table) == 2 and set(table["seeds"]) == {2}
    assert set(table["data"]) == {"garments (stand-in data)"}
    assert pd.read_csv(folder / "pairs.csv")["family"].tolist() == ["augmentation"]
    for name in ("curves.png", "shared_errors.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert f"build/study/{LAB}/{name}" in again.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#", "91_tiny.py compares no networks: its header has no study"),
        ("#     study: {dataset: garments}", "the header's study has no networks"),
        ("#     study: [two_layer]", "expected settings by name"),
    ],
)
def test_a_lab_without_a_study_is_told_so(course, run_command, line, said):
    header(course, line)
    done = run_command("labkit", "study", "91", folder=course.root)
    assert done.returncode == 2 and said in done.stderr


def test_the_networks_of_the_course_s_study():
    """The first three as the study that they come from counts them, but for the first.

    It prints 468,474, and 784 * 512 + 512 + 512 * 128 + 128 + 128 * 10 + 10 is more.
    """
    lab = read_lab(find_labs(ROOT / "solutions", ["07"])[0])
    functions = lab_functions(lab)
    found = {}
    for name in study.Plan.of(lab.study, "the header").networks:
        network = functions[f"build_{name}"]()
        kinds = [type(layer).__name__ for layer in network.layers]
        counted = ("Conv2D", "MaxPooling2D", "BatchNormalization")
        trained = sum(int(np.prod(one.shape)) for one in network.trainable_weights)
        found[name] = [network.count_params(), trained, *map(kinds.count, counted)]
    assert found == {
        "two_layer": [468_874, 468_874, 0, 0, 0],
        "one_conv": [693_962, 693_962, 1, 1, 0],
        "three_conv": [241_546, 241_546, 3, 2, 0],
        "four_conv": [591_274, 590_890, 4, 1, 4],
        "vgg": [746_986, 746_986, 9, 4, 0],
        "vgg_batch_norm": [749_482, 747_818, 9, 4, 9],
    }


# What a study says.


def outcome(right, network="a", augmented=False, seed=0, sure=0.9):
    """An outcome of two classes that gets right what `right` says; all labels are 0."""
    right = np.asarray(right)
    share = np.where(right, sure, 1 - sure).astype("float32")
    labels = np.arange(len(right)) % 2
    probabilities = np.where(
        np.arange(2) == labels[:, None], share[:, None], 1 - share[:, None]
    )
    return Outcome(
        training=study.Training(network, augmented, seed),
        parameters=7,
        seconds=1.5 + seed,
        rows=[{"val_accuracy": 0.5}, {"val_accuracy": 0.6}],
        labels=labels,
        probabilities=probabilities,
        held_out_labels=labels,
        held_out_probabilities=probabilities,
    )


def results(outcomes, networks=("a", "b"), augment="", seeds=(0, 1)):
    plan = study.Plan("garments", networks, augment, seeds)
    return Results(plan, data.load("garments"), outcomes)


def first(count, n=200):
    """The first `count` of n pictures are right."""
    return np.arange(n) < count


def test_the_table_holds_means_and_their_intervals():
    found = results(
        [
            outcome(first(180)),
            outcome(first(170), "b"),
            outcome(first(184), seed=1),
            outcome(first(171), "b", seed=1),
        ]
    ).table()
    assert found["network"].tolist() == ["a", "b"]
    row = found.iloc[0]
    assert row["accuracy"] == pytest.approx(0.91)
    assert (row["accuracy low"], row["accuracy high"]) == pytest.approx(
        stats.t.interval(0.95, 1, 0.91, 0.01)
    )
    assert row["seconds"] == pytest.approx(2.0) and row["parameters"] == 7
    loss = [log_loss([0, 1], [[0.9, 0.1], [0.1, 0.9]])] * 18 + [-np.log(0.1)] * 2
    assert found.iloc[0]["log loss"] == pytest.approx(
        np.mean([np.mean(loss), 0.92 * -np.log(0.9) + 0.08 * -np.log(0.1)]), rel=1e-4
    )


def test_a_single_seed_has_the_interval_of_the_pictures_alone():
    row = results([outcome(first(180))], ("a",), seeds=(0,)).table().iloc[0]
    ends = row["accuracy low"], row["accuracy high"]
    expected = proportion.proportion_confint(180, 200, method="wilson")
    assert ends == pytest.approx(expected, abs=1e-9)
    assert all(np.isnan(row[f"{name} low"]) for name in MEASURES if name != "accuracy")


def test_measures_are_scikit_learn_s_and_bounded():
    rng = np.random.default_rng(5)
    measures = outcome(rng.random(400) < 0.7, sure=0.85).measures
    assert measures["accuracy"] == pytest.approx(measures["macro F1"], abs=0.02)
    assert 0.5 < measures["macro AUC"] < 1
    assert measures["calibration error"] == pytest.approx(
        abs(0.85 - measures["accuracy"]), abs=1e-6
    )


def test_a_difference_is_real_where_every_seed_shows_it():
    clear = results(
        [
            outcome(first(150)),
            outcome(first(190), "b"),
            outcome(first(152), seed=1),
            outcome(first(188), "b", seed=1),
        ]
    ).pairs()
    assert len(clear) == 1 and clear["real"].all()
    assert clear["gain"][0] == pytest.approx((40 + 36) / 400)
    expected = outcome(first(152)).mcnemar(outcome(first(188)))
    assert clear["p"][0] == pytest.approx(expected)
    torn = results(
        [
            outcome(first(150)),
            outcome(first(190), "b"),
            outcome(first(190), seed=1),
            outcome(first(150), "b", seed=1),
        ]
    ).pairs()
    assert torn["p"][0] == 1 and not torn["real"].any()


def test_tables_read_well():
    found = results(
        [
            dataclasses.replace(
                outcome(first(150 + seed), seed=seed), parameters=12_345
            )
            for seed in (0, 1)
        ]
        + [outcome(first(190 + seed), "b", seed=seed) for seed in (0, 1)]
    )
    row = found.summary().iloc[0]
    assert (row["augmented"], row["parameters"]) == ("no", "12,345")
    # A cell may be broken before its interval, not within.
    assert re.fullmatch(r"75\.25% \([\d.]+%\u00a0to\u00a0[\d.]+%\)", row["accuracy"])
    pair = study.readable(found.pairs()).iloc[0]
    assert (pair["gain"], pair["p"], pair["real"]) == ("+20.00%", "<\u00a00.001", "yes")
    part = study.readable(found.pairs()[["first", "corrected"]])
    assert part.columns.tolist() == ["first", "corrected"]


def test_pairs_are_corrected_within_what_was_asked():
    networks = ("a", "b", "c")
    counts = {"a": 150, "b": 158, "c": 160}
    found = results(
        [
            outcome(first(counts[n] + 3 * augmented), n, augmented)
            for augmented in (False, True)
            for n in networks
        ],
        networks,
        "random_affine",
        (0,),
    ).pairs()
    assert found["family"].value_counts().to_dict() == {
        "plain": 3,
        "augmented": 3,
        "augmentation": 3,
    }
    for _, family in found.groupby("family"):
        np.testing.assert_allclose(family["corrected"], study.holm(family["p"]))
    named = found[found["family"] == "augmentation"]
    assert named["second"].tolist() == [f"{n}, augmented" for n in networks]


def test_shared_errors_are_wrong_everywhere():
    right = np.zeros((2, 1000), bool)
    right[0, :900], right[1, 50:] = True, True
    found = results([outcome(right[0]), outcome(right[1], "b")], seeds=(0,))
    assert found.shared_errors().tolist() == []
    right[1, 960:] = False
    found = results([outcome(right[0]), outcome(right[1], "b")], seeds=(0,))
    assert found.shared_errors().tolist() == list(range(960, 1000))
    assert (
        "40 pictures (stand-in data)"
        in found.shared_errors_figure().texts[0].get_text()
    )


# Search.

SPACE = {"rate": (1e-4, 1e-1), "decay": (1e-5, 1e-2)}
HAND = [{"rate": r, "decay": d} for r in (1e-3, 1e-2) for d in (1e-4, 1e-3)]
GRID = {"rate": [1e-4, 1e-1], "decay": [1e-5, 1e-2]}
look = partial(study.search, space=SPACE, by_hand=HAND, grid=GRID, seed=3)


def hill(settings):
    return -((np.log10(settings["rate"]) + 2) ** 2) - np.log10(settings["decay"]) / 50


def test_four_ways_on_one_budget(tmp_path):
    found = look(hill, path=tmp_path / "search.log")
    assert list(found) == ["by hand", "grid", "random", "sampler"]
    assert [len(trials) for trials in found.values()] == [4] * 4
    assert [trial.settings for trial in found["by hand"]] == HAND
    assert [trial.settings["decay"] for trial in found["grid"]] == [1e-5, 1e-2] * 2
    for way, values in (("grid", 2), ("random", 4), ("sampler", 4)):
        assert len({trial.settings["rate"] for trial in found[way]}) == values
    for trial in found["random"] + found["sampler"]:
        assert trial.score == pytest.approx(hill(trial.settings))
        assert all(
            low <= trial.settings[name] <= high for name, (low, high) in SPACE.items()
        )
    logs = np.log10([trial.settings["rate"] for trial in found["random"]])
    assert np.ptp(logs) > 0.5


def test_a_search_goes_on_and_ends_as_if_nothing_had_happened(tmp_path):
    whole = look(hill, path=tmp_path / "whole.log")
    for limit in (1, 6, 10, 14):
        calls = []

        def killed(settings, calls=calls, limit=limit):
            calls.append(settings)
            if len(calls) == limit:
                raise KeyboardInterrupt
            return hill(settings)

        path = tmp_path / f"{limit}.log"
        with pytest.raises(KeyboardInterrupt):
            look(killed, path=path)
        after = []
        found = look(lambda s, after=after: after.append(s) or hill(s), path=path)
        assert found == whole
        assert len(after) == 16 - (limit - 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"grid": {"rate": [0.01], "decay": [1e-3]}},
            "4 sets of settings, on the grid 1",
        ),
        ({"by_hand": [{"rate": 0.01}] * 4}, "by_hand has the settings rate"),
        ({"by_hand": [{"rate": 1.0, "decay": 1e-3}] * 4}, "rate is to be tried at 1"),
    ],
)
def test_a_search_without_one_budget_is_refused(tmp_path, change, said):
    with pytest.raises(LabkitError, match=re.escape(said)):
        look(hill, path=tmp_path / "search.log", **change)


def test_a_file_of_another_search_is_refused(tmp_path):
    look(hill, path=tmp_path / "search.log")
    with pytest.raises(LabkitError, match="begun by a search with other settings"):
        look(hill, path=tmp_path / "search.log", seed=4)


# The rest of the package's part.


def test_views_of_the_corners_are_ten_crops():
    """A network that reads the middle pixel says where the views were moved to."""
    images = np.arange(25, dtype="uint8").reshape(1, 5, 5, 1)
    middle = keras.Sequential(
        [
            keras.layers.Input((5, 5, 1)),
            keras.layers.Cropping2D(2),
            keras.layers.Flatten(),
        ]
    )
    rows, columns = [1, 1, 2, 3, 3], [1, 3, 2, 1, 3]
    for corners, views in (
        (1, images[0][rows, columns]),
        (2, images[0][[0, 0, 2, 4, 4], [0, 4, 2, 0, 4]]),
    ):
        found = training.predict(middle, images, corners=corners)
        assert found == pytest.approx(views.mean())
    moved = training.predict(middle, images[:, :, ::-1], corners=1, flips=True)
    assert moved == pytest.approx(
        training.predict(middle, images, corners=1, flips=True)
    )


def test_random_colour_moves_along_the_components():
    rng = np.random.default_rng(8)
    mixed = np.array([[40.0, 30, 20], [0, 10, -10], [2, -1, -1]])
    images = (
        (128 + rng.normal(size=(6, 16, 16, 3)) @ mixed).clip(0, 255).astype("uint8")
    )
    pixels = images[:, ::4, ::4].reshape(-1, 3) / 255
    values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
    factors = np.random.default_rng(9).normal(0, 0.5, (6, 3))
    expected = images + 255 * (factors * values @ vectors.T)[:, None, None]
    found = training.random_colour(images, np.random.default_rng(9), strength=0.5)
    np.testing.assert_allclose(found, expected.clip(0, 255), atol=0.51)


def test_random_affine_is_keras_s():
    """Keras's own transformation, with the same six numbers for each picture."""
    from keras.src.legacy.preprocessing.image import apply_affine_transform

    rng = np.random.default_rng(6)
    images = rng.integers(0, 256, (4, 12, 12, 2)).astype("uint8")
    found = training.random_affine(
        images, np.random.default_rng(7), rotation=30, shear=20, shift=0.2, zoom=0.2
    )
    again = np.random.default_rng(7)
    turn, slant = again.uniform(-1, 1, (2, 4)) * [[30], [20]]
    moved = again.uniform(-0.2, 0.2, (2, 4)) * 12
    zooms = again.uniform(0.8, 1.2, (2, 4))
    for i in range(4):
        expected = apply_affine_transform(
            images[i].astype("float32"),
            theta=turn[i],
            shear=slant[i],
            tx=moved[1, i],
            ty=moved[0, i],
            zx=zooms[1, i],
            zy=zooms[0, i],
            row_axis=0,
            col_axis=1,
            channel_axis=2,
        )
        np.testing.assert_allclose(found[i], expected, atol=0.6)
    same = training.random_affine(
        images[..., 0], np.random.default_rng(0), rotation=0, shift=0, shear=0, zoom=0
    )
    np.testing.assert_array_equal(same, images[..., 0])


def test_the_package_names_no_lab():
    """What a lab needs stands in its own header: its study's name and settings, too."""
    labs = [path.name for path in (ROOT / "solutions").iterdir() if path.is_dir()]
    named = re.compile("|".join([*labs, r"\b\d\d_[a-z]+", "fashion_study"]))
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in (ROOT / "labkit").rglob("*.py")
        for hit in [named.search(path.read_text("utf-8"))]
        if hit
    ]
    assert found == []
