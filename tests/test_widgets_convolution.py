"""The explorers of convolution build, react to their controls, and show what they should."""

import io
import re
import warnings

import matplotlib.pyplot
import numpy as np
import pytest
from PIL import Image

from labkit.widgets.convolution import (
    STRENGTH,
    WIDEST,
    explore_kernel,
    explore_learning,
    explore_sliding_window,
)

LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
IDENTITY = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
IMAGE = np.arange(42).reshape(6, 7) ** 2 % 11
KERNELS = {"identity": IDENTITY, "laplacian": LAPLACIAN, "blur": np.ones((3, 3)) / 9}


def sum_shown(explorer) -> float:
    return float(re.search(r"= (-?[\d.]+)</b>", explorer.sentence.value)[1])


def pixels(explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.png)).convert("RGB"))


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (3, 1), (2, 2)])
def test_every_step_shows_the_sum_of_its_window(stride, padding):
    explorer = explore_sliding_window(IMAGE, LAPLACIAN, stride, padding)
    padded = np.pad(IMAGE, padding)
    rows = range(0, padded.shape[0] - 2, stride)
    columns = range(0, padded.shape[1] - 2, stride)
    expected = [
        (padded[r : r + 3, c : c + 3] * LAPLACIAN).sum() for r in rows for c in columns
    ]
    step = explorer.controls["step"]
    assert step.max == len(expected) - 1
    shown = []
    for number in range(len(expected)):
        step.value = number
        shown.append(sum_shown(explorer))
    assert shown == expected


def test_the_sentence_writes_the_addition_out():
    explorer = explore_sliding_window(
        np.array([[1, 2], [0, 4]]), np.array([[3, -5], [7, 1]])
    )
    assert explorer.sentence.value == "<b>Row 0, column 0: 1·3 + 2·(-5) + 4·1 = -3</b>"


def test_a_window_of_zeros_is_said_in_words():
    explorer = explore_sliding_window(np.zeros((4, 4)), LAPLACIAN)
    assert "every product is 0" in explorer.sentence.value


def test_a_larger_stride_brings_the_step_back_into_range():
    explorer = explore_sliding_window(IMAGE, LAPLACIAN)
    step = explorer.controls["step"]
    step.value = step.max
    explorer.controls["stride"].value = 3
    assert step.value == step.max == 3
    assert explorer.sentence.value.startswith("<b>Row 1, column 1:")


def test_each_control_of_the_window_changes_the_picture():
    explorer = explore_sliding_window(IMAGE, LAPLACIAN)
    for name, value in (("step", 7), ("stride", 2), ("padding", 1)):
        before = pixels(explorer)
        explorer.controls[name].value = value
        assert (pixels(explorer) != before).any(), name


@pytest.mark.parametrize(
    ("image", "kernel", "told"),
    [
        (np.zeros((11, 5)), LAPLACIAN, r"\(11, 5\)"),
        (np.zeros((5, 5, 3)), LAPLACIAN, r"\(5, 5, 3\)"),
        (np.zeros((5, 5)), np.zeros((2, 3)), r"\(2, 3\)"),
        (np.zeros((2, 9)), LAPLACIAN, r"\(3, 3\)"),
    ],
)
def test_shapes_that_cannot_be_shown_are_refused(image, kernel, told):
    with pytest.raises(ValueError, match=told):
        explore_sliding_window(image, kernel)


@pytest.fixture
def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_the_menu_fills_the_nine_boxes(photograph):
    explorer = explore_kernel(photograph, KERNELS, "laplacian")
    editor = explorer.controls["kernel"]
    assert [box.value for box in editor.boxes] == LAPLACIAN.ravel().tolist()
    editor.menu.value = "blur"
    assert editor.value == pytest.approx([1 / 9] * 9)
    assert "sum to 1: flat areas keep their brightness" in explorer.sentence.value


def test_the_menu_draws_once_and_not_for_each_box(photograph):
    explorer = explore_kernel(photograph, KERNELS, "laplacian")
    drawn = []
    explorer.picture.observe(drawn.append, "value")
    explorer.controls["kernel"].menu.value = "blur"
    assert len(drawn) == 1


def test_a_changed_box_changes_picture_and_sentence(photograph):
    explorer = explore_kernel(photograph, KERNELS, "identity")
    before = pixels(explorer)
    assert "sum to 1" in explorer.sentence.value
    explorer.controls["kernel"].boxes[4].value = 0
    assert "sum to 0: flat areas become 0" in explorer.sentence.value
    after = pixels(explorer)
    half = after.shape[1] // 2
    assert (after[:, :half] == before[:, :half]).all()
    assert (after[40:-10, half + 60 : -60] == 0).all()


def test_values_are_those_of_a_convolution_by_hand(photograph):
    explorer = explore_kernel(photograph, KERNELS, "laplacian")
    grey = photograph.mean(axis=2)
    expected = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    ) - 4 * grey[1:-1, 1:-1]
    low, high = map(
        int, re.search(r"from (-?\d+) to (-?\d+)", explorer.sentence.value).groups()
    )
    assert (low, high) == (round(expected.min()), round(expected.max()))


def test_strength_shows_negative_answers_too(photograph):
    explorer = explore_kernel(photograph, {"negative": -IDENTITY}, "negative")
    half = pixels(explorer).shape[1] // 2
    assert (pixels(explorer)[40:-10, half + 60 : -60] == 0).all()
    explorer.controls["view"].value = STRENGTH
    assert pixels(explorer)[40:-10, half + 60 : -60].max() > 200


def test_a_wide_photograph_is_shrunk_by_the_mean_of_squares(photograph):
    wide = np.tile(photograph, (1, 10, 1))
    assert wide.shape[1] == 800 > WIDEST
    explorer = explore_kernel(wide, KERNELS, "identity")
    shown = explorer._figure.axes[0].images[0].get_array()
    assert shown.shape == (30, 400)
    assert shown[3, 5] == pytest.approx(wide[6:8, 10:12].mean())


def test_a_saved_notebook_keeps_a_still_picture(photograph):
    for explorer in (
        explore_sliding_window(IMAGE, LAPLACIAN),
        explore_kernel(photograph, KERNELS, "blur"),
    ):
        assert explorer._repr_mimebundle_()[0]["image/png"]


def test_they_are_silent_draw_once_a_change_and_leave_no_figure_open(photograph):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sliding = explore_sliding_window(IMAGE, LAPLACIAN, padding=2)
        kernels = explore_kernel(photograph, KERNELS, "identity")
        both = (sliding, kernels)
        artists = [axes.get_children() for one in both for axes in one._figure.axes]
        drawn = []
        for explorer in both:
            explorer.picture.observe(drawn.append, "value")
        for number in range(1, 4):
            sliding.controls["step"].value = 8 * number
            kernels.controls["kernel"].boxes[0].value = number
    # Axes and texts made anew would take too long where a slider is dragged.
    assert artists == [axes.get_children() for one in both for axes in one._figure.axes]
    assert len(drawn) == 6
    assert not matplotlib.pyplot.get_fignums()


def learned() -> dict:
    """A picture, three kernels on the way to the Laplacian, and an error of each."""
    kernels = [share * LAPLACIAN for share in (0.0, 0.5, 1.0)]
    return {"image": IMAGE, "kernels": kernels, "errors": [4.0, 1.0, 0.01]}


def test_a_kernel_that_learns_is_seen_at_each_step():
    explorer = explore_learning(**learned())
    kernel, feature_map, error = explorer._figure.axes
    for step, factor in enumerate((0.0, 0.5, 1.0)):
        explorer.controls["step"].value = step
        np.testing.assert_array_equal(kernel.images[0].get_array(), factor * LAPLACIAN)
        expected = [
            [(IMAGE[r : r + 3, c : c + 3] * factor * LAPLACIAN).sum() for c in range(5)]
            for r in range(4)
        ]
        np.testing.assert_allclose(feature_map.images[0].get_array(), expected)
        assert list(error.lines[1].get_xdata()) == [step]
        assert f"Step {step}: " in explorer.sentence.value


def test_a_page_without_widgets_shows_what_was_learned():
    explorer = explore_learning(**learned())
    assert "Step 2: the error is 0.01." in explorer.sentence.value
    assert explorer.controls["step"].max == 2


def test_each_kernel_has_its_error():
    with pytest.raises(ValueError, match="3 kernels and 2 errors"):
        explore_learning(**learned() | {"errors": [1.0, 0.5]})


def test_numbers_of_a_table_are_of_one_size_at_each_step():
    kernels = [np.array([[0.0, 1.0], [0.5, -n / 100]]) for n in (1, 123)]
    explorer = explore_learning(np.ones((6, 6)), kernels, [1.0, 0.1])
    heights = []
    for step in (0, 1):
        explorer.controls["step"].value = step
        tallest = np.zeros((2, 2))
        for part in explorer._figure.axes[0].patches[0].get_path().to_polygons():
            column, row = np.rint(part.mean(axis=0)).astype(int)
            tallest[row, column] = max(tallest[row, column], np.ptp(part[:, 1]))
        heights += tallest.ravel().tolist()
    assert min(heights) > 0.9 * max(heights)
