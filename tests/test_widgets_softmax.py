"""The explorers of lab 04: softmax, optimisers, digits on the move."""

import numpy as np
import pytest
from scipy.special import softmax

from labkit.widgets import optimisers
from labkit.widgets.optimisers import explore_optimisers
from labkit.widgets.softmax import explore_shift, explore_softmax, moved


def test_probabilities_are_those_of_scipy():
    explorer = explore_softmax((-4.0, 0.0, 3.0, 4.0))
    bars = explorer._figure.axes[2].patches
    shown = [bar.get_height() for bar in bars]
    assert np.allclose(shown, softmax([-4.0, 0.0, 3.0, 4.0]))


def test_softmax_says_how_much_likelier_the_first_class_is():
    explorer = explore_softmax((2.0, 0.0, 1.0))
    assert "z0 leads z2 by 1.00" in explorer.sentence.value
    assert "2.72 times" in explorer.sentence.value


def test_softmax_follows_its_sliders():
    explorer = explore_softmax((2.0, 0.0, 1.0))
    before = explorer.picture.png
    explorer.controls["z1"].value = 4.0
    assert "z1 leads z0 by 2.00" in explorer.sentence.value
    assert explorer.picture.png != before


def test_adding_to_all_scores_changes_no_probability():
    explorer = explore_softmax()
    before = explorer.sentence.value
    explorer.controls["add"].value = 3.0
    assert explorer.sentence.value == before


def test_no_number_stands_on_the_edge_of_its_bar():
    explorer = explore_softmax((2.0, 0.0, -1.0))
    figure = explorer._figure
    for axes in figure.axes:
        for bar, number in zip(axes.patches, axes.texts, strict=True):
            ends, text = bar.get_window_extent(), number.get_window_extent()
            assert text.y0 >= ends.y1 or text.y1 <= ends.y0 - 1


def test_softmax_wants_two_to_six_scores():
    with pytest.raises(ValueError, match="1 score; expected 2 to 6"):
        explore_softmax((1.0,))


def test_moved_pictures_lose_what_leaves_them():
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
    assert moved(image, 0, 0).tolist() == image.tolist()
    assert moved(image, 1, 0)[0].tolist() == [[0, 1, 2], [0, 4, 5], [0, 7, 8]]
    assert moved(image, 0, -1)[0].tolist() == [[4, 5, 6], [7, 8, 9], [0, 0, 0]]
    assert moved(image, -2, 2)[0].tolist() == [[0, 0, 0], [0, 0, 0], [3, 0, 0]]


def test_a_moved_digit_goes_through_every_model():
    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 10:18, 5] = 255

    def by_column(image):
        """The column of the ink, as the class."""
        return np.eye(10)[[int(image[0].sum(axis=0).argmax()) % 10]]

    models = {"column": by_column, "always 3": lambda image: np.eye(10)[[3]]}
    explorer = explore_shift(images, np.array([5, 7]), models)
    assert (
        "This is a 5. column says 5 (100%); always 3 says 3" in explorer.sentence.value
    )
    explorer.controls["right"].value = 4
    assert "column says 9" in explorer.sentence.value
    explorer.controls["digit"].value = 1
    assert "This is a 7." in explorer.sentence.value


@pytest.mark.parametrize("name", ["SGD", *optimisers.RULES])
def test_the_rules_are_those_of_keras(name):
    import keras

    theirs = {
        "SGD": keras.optimizers.SGD(0.01),
        "momentum": keras.optimizers.SGD(0.01, momentum=0.9),
        "Nesterov momentum": keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        # Keras starts its sum at 0.1; the paper and the explorer at 0.
        "Adagrad": keras.optimizers.Adagrad(0.01, initial_accumulator_value=0.0),
        "RMSprop": keras.optimizers.RMSprop(0.01),
        "Adadelta": keras.optimizers.Adadelta(0.01),
        "Adam": keras.optimizers.Adam(0.01),
        "Adamax": keras.optimizers.Adamax(0.01),
    }[name]
    weight = keras.Variable(optimisers.START, dtype="float32")
    for _ in range(4):
        slope = optimisers.STEEPNESS * keras.ops.convert_to_numpy(weight)
        theirs.apply([keras.ops.convert_to_tensor(slope, dtype="float32")], [weight])
    ours = optimisers.path(optimisers.RULES.get(name, optimisers._sgd), 0.01, 4)[-1]
    assert np.allclose(ours, keras.ops.convert_to_numpy(weight), rtol=1e-4)


def test_the_race_says_who_is_lower_and_who_diverges():
    explorer = explore_optimisers("momentum", lr=0.02, steps=40)
    assert "gradient descent 0.621, momentum 0.00986" in explorer.sentence.value
    explorer.controls["lr"].value = 0.2
    assert "gradient descent diverges" in explorer.sentence.value
    explorer.controls["optimiser"].value = "Adam"
    assert "Adam" in explorer.sentence.value


def test_the_losses_stand_in_plain_numbers():
    right = explore_optimisers()._figure.axes[1]
    assert [label.get_text() for label in right.get_yticklabels()] == [
        *("0.000001", "0.001", "1", "1000")
    ]


def test_explorers_show_a_still_picture_without_widgets():
    for explorer in (explore_softmax(), explore_optimisers()):
        assert "image/png" in explorer._repr_mimebundle_()[0]
