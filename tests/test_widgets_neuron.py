"""The explorers of lab 01 build, react to their controls, and say what is true."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from labkit.widgets.explorer import Explorer
from labkit.widgets.neuron import (
    ACTIVATIONS,
    SURFACES,
    descend,
    explore_learning_rate,
    explore_neuron,
)


def pixels(explorer: Explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.png)).convert("RGB"))


@pytest.mark.parametrize("explore", [explore_neuron, explore_learning_rate])
def test_an_explorer_shows_a_picture_and_a_sentence_at_once(explore):
    explorer = explore()
    assert pixels(explorer).std() > 10
    assert explorer.sentence.value.startswith("<b>")


@pytest.mark.parametrize("explore", [explore_neuron, explore_learning_rate])
def test_a_front_end_without_widgets_gets_the_same_picture(explore):
    explorer = explore()
    bundle, told = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]) == explorer.picture.png
    assert told["image/png"]["alt"]


@pytest.mark.parametrize(
    ("explore", "control", "value"),
    [
        (explore_neuron, "w1", -3.0),
        (explore_neuron, "w2", -3.0),
        (explore_neuron, "b", 5.0),
        (explore_neuron, "activation", "ReLU"),
        (explore_learning_rate, "lr", 0.1),
        (explore_learning_rate, "surface", "two hollows"),
        (explore_learning_rate, "steps", 3),
    ],
)
def test_every_control_changes_the_picture(explore, control, value):
    explorer = explore()
    before = pixels(explorer)
    explorer.controls[control].value = value
    assert (pixels(explorer) != before).any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_slopes_are_those_of_the_activations(activation):
    curve, slope = explore_neuron(activation)._figure.axes[1].lines[:2]
    z, values = curve.get_data()
    smooth = np.abs(z) > 0.1  # the kink of a ReLU lies at 0
    found = np.gradient(values, z)
    np.testing.assert_allclose(slope.get_ydata()[smooth], found[smooth], atol=1e-3)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
def test_the_slopes_are_those_of_the_surfaces(surface):
    w, step = np.array([0.7, -1.3]), 1e-6
    slopes = [
        (surface.height(w + e) - surface.height(w - e)) / (2 * step)
        for e in step * np.eye(2)
    ]
    np.testing.assert_allclose(surface.slope(w), slopes, atol=1e-8)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
def test_no_point_of_a_surface_lies_below_its_lowest(surface):
    w = np.array(np.meshgrid(np.linspace(-3, 3, 601), np.linspace(-3, 3, 601)))
    assert surface.height(w).min() == pytest.approx(surface.lowest, abs=1e-4)


@pytest.mark.parametrize(
    ("w1", "flat"), [(0.0, 0), (8.0, 2)], ids=["undecided", "saturated"]
)
def test_the_neuron_counts_its_saturated_inputs(w1, flat):
    explorer = explore_neuron("sigmoid", w=(w1, 0.0), b=0.0)
    assert f"{flat} of 4" in explorer.sentence.value


def test_a_neuron_without_weights_has_no_border():
    explorer = explore_neuron(w=(0.0, 0.0), b=0.0)
    assert "0 of 4" in explorer.sentence.value


@pytest.mark.parametrize(
    ("surface", "rate", "word"),
    [
        ("long valley", 0.002, "Too small"),
        ("long valley", 0.17, "Right"),
        ("long valley", 0.1995, "Too large"),
        ("long valley", 0.21, "Diverging"),
        ("long valley", 3.0, "Diverging"),
        ("round bowl", 1.0, "Right"),
        ("round bowl", 2.1, "Diverging"),
        ("two hollows", 0.1, "Stuck"),
        ("two hollows", 0.6, "Right"),
    ],
)
def test_the_verdict_fits_the_rate(surface, rate, word):
    explorer = explore_learning_rate(surface, lr=rate)
    assert word in explorer.sentence.value


def test_descent_in_the_round_bowl_shrinks_each_weight_by_the_same_share():
    path = descend(SURFACES["round bowl"], lr=0.25, steps=4)
    np.testing.assert_allclose(path, path[0] * 0.75 ** np.arange(5)[:, None])


def test_explorers_give_no_warning_and_leave_no_figure_open(warned, capfd):
    from matplotlib import pyplot

    explorer = explore_learning_rate()
    for surface in SURFACES:
        explorer.controls["surface"].value = surface
        for rate in (0.001, 0.2, 3.0):
            explorer.controls["lr"].value = rate
    for activation in ACTIVATIONS:
        explore_neuron(activation, w=(8.0, -8.0), b=8.0)
    assert warned() == []
    assert capfd.readouterr().err == ""
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("explore", "control"), [(explore_neuron, "b"), (explore_learning_rate, "lr")]
)
def test_a_change_draws_one_picture_with_the_artists_there_are(explore, control):
    """A slider is dragged: to make axes, lines and texts anew would take too long."""
    explorer = explore()
    artists = [axes.get_children() for axes in explorer._figure.axes]
    drawn = []
    explorer.picture.observe(drawn.append, "value")
    for value in (0.1, 0.5, 2.0):
        explorer.controls[control].value = value
    assert [axes.get_children() for axes in explorer._figure.axes] == artists
    assert len(drawn) == 3
