"""Lab 05 trains with a student's own functions where what they give fits, else with the kit's."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from labkit import training
from labkit.labs.cells import mistake_functions
from labkit.labs.functions import lab_functions
from labkit.labs.lab import find_labs, read_lab
from tests.conftest import ROOT

(PATH,) = find_labs(ROOT / "solutions", ["05"])
LAB = read_lab(PATH)
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (70, 32, 32, 3)).astype("uint8")


@pytest.fixture
def lab():
    """The lab's functions, in a namespace of their own."""
    found = lab_functions(LAB)
    named(found)["d"] = SimpleNamespace(train_images=PICTURES)
    return SimpleNamespace(**found)


def named(functions):
    """The namespace that all of them look their names up in."""
    return functions["working"].__globals__


def mistakes(exercise):
    """The declared mistakes of an exercise, by name."""
    (cell,) = [c for c in LAB.cells("mistakes") if c.metadata["mistakes"] == exercise]
    names = dict(named(lab_functions(LAB)))
    exec(cell.source, names)
    return {name: names[name] for name, _ in mistake_functions(cell)}


def forgets_to_return(*given):
    """What a function gives whose last line is not there."""


def not_written(*given):
    raise NotImplementedError("Write your code here.")


def chosen_augmentation(lab, crop=None):
    """What the lab trains with, for a student who has written this `crop`."""
    if crop is not None:
        named(vars(lab))["crop"] = crop
    return lab.working(lab.light_augment, lab.given_augment, lab.gives_pictures)


def chosen_rates(lab, learning_rate):
    return lab.working(learning_rate, "one-cycle", lab.gives_rates)


def test_right_functions_are_used(lab, capsys):
    assert chosen_augmentation(lab) is lab.light_augment
    assert lab.working(lab.augment, None, lab.gives_pictures) is lab.augment
    assert chosen_rates(lab, lab.learning_rate) is lab.learning_rate
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("crop", "why"),
    [
        (mistakes("crop")["one_pixel_too_many"], "what it gives does not fit"),
        (forgets_to_return, "TypeError"),
        (not_written, "NotImplementedError"),
    ],
    ids=["one pixel too many", "no return", "not written"],
)
def test_pictures_that_do_not_fit_come_from_the_kit(lab, capsys, crop, why):
    assert chosen_augmentation(lab, crop) is lab.given_augment
    assert capsys.readouterr().out.startswith(f"light_augment: {why}; the kit's own")


@pytest.mark.parametrize(
    ("rate", "why"),
    [
        (mistakes("learning_rate")["falls_too_fast"], "what it gives does not fit"),
        (lambda step, steps, peak: np.nan, "what it gives does not fit"),
        (lambda step, steps, peak: np.ones(2), "ValueError"),
        (forgets_to_return, "what it gives does not fit"),
        (not_written, "NotImplementedError"),
    ],
    ids=["falls too fast", "no number", "two numbers", "no return", "not written"],
)
def test_rates_that_do_not_fit_come_from_the_kit(lab, capsys, rate, why):
    assert chosen_rates(lab, rate) == "one-cycle"
    said = capsys.readouterr().out
    assert said.startswith(f"{rate.__name__}: {why}; the kit's own is used instead")


@pytest.mark.parametrize("name", mistakes("learning_rate"))
def test_no_declared_mistake_of_the_rate_stops_the_training(lab, name):
    schedule = chosen_rates(lab, mistakes("learning_rate")[name])
    for steps in (7, 37, 1170):
        assert training.learning_rates(schedule, steps, 0.01).shape == (steps,)


@pytest.mark.parametrize("name", mistakes("crop"))
def test_no_declared_mistake_of_the_window_stops_the_training(lab, name):
    augment = chosen_augmentation(lab, mistakes("crop")[name])
    for count in (1, 33, 70):
        some = PICTURES[:count]
        assert augment(some, np.random.default_rng(3)).shape == some.shape


@pytest.mark.parametrize("name", mistakes("augment"))
def test_no_declared_mistake_of_the_augmentation_stops_the_training(lab, name):
    wrong = mistakes("augment")[name]
    augment = lab.working(wrong, lab.light_augment, lab.gives_pictures)
    some = PICTURES[:33].copy()
    assert augment(some, np.random.default_rng(3)).shape == some.shape


def test_clipping_is_compared_with_keras_and_never_stops(lab):
    long = [RNG.normal(size=(3, 4)), RNG.normal(size=5)]
    short = [part / 100 for part in long]
    for gradients in (long, short):
        given = [part.astype("float32") for part in gradients]
        theirs = lab.clipped_by_keras(given, 1.0)
        assert lab.agree(lab.clip(given, 1.0), theirs)
        for wrong in (None, [], theirs[:1], [part[None, :2] for part in theirs], 3.0):
            assert not lab.agree(wrong, theirs)
    each = mistakes("clip")["each_on_its_own"](long, 1.0)
    assert not lab.agree(each, lab.clipped_by_keras(long, 1.0))


def variants():
    """All answers to `standardise` that count as right, the solution first."""
    file = ROOT / "tests" / "variants" / PATH.name
    spec = importlib.util.spec_from_file_location("variants", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for source in ("", *module.VARIANTS["standardise"]):
        names = dict(named(lab_functions(LAB)))
        exec(source, names)
        yield names["standardise"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("standardise", list(variants()))
def test_a_constant_channel_of_decimal_numbers_only_loses_its_mean(standardise, dtype):
    train = RNG.random((5, 8, 8, 3)).astype(dtype)
    other = RNG.random((2, 8, 8, 3)).astype(dtype)
    train[..., 1] = 0.1
    found, beside = (np.asarray(array) for array in standardise(train, other))
    assert np.allclose(found[..., 1], 0, atol=1e-6)
    assert np.allclose(beside[..., 1], other[..., 1] - 0.1, atol=1e-6)


def test_millions_of_pixels_in_float32_are_standardised(lab):
    # Bright and faint: a mean that is rounded by little is off by much of the deviation.
    pixels = RNG.integers(240, 256, (350, 64, 64, 3), dtype="uint8").astype("float32")
    (found,) = lab.standardise(pixels)
    assert found.dtype == np.float32
    assert np.allclose(found.mean((0, 1, 2), dtype="float64"), 0, atol=1e-3)
    assert np.allclose(found.std((0, 1, 2), dtype="float64"), 1, atol=1e-3)
