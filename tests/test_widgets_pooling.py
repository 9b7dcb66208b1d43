"""The pooling explorer shows what pooling does, at once and after each change."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from labkit.widgets.pooling import SMALL, explore_pooling

PHOTOGRAPH = np.random.default_rng(7).integers(0, 256, (24, 36, 3), dtype=np.uint8)


def by_hand(image: np.ndarray, size: int, stride: int, mode: str) -> np.ndarray:
    """Pool one map with plain loops."""
    reduce = {"max": max, "sum": sum, "average": lambda v: sum(v) / len(v)}[mode]
    tops, lefts = (range(0, n - size + 1, stride) for n in image.shape)
    return np.array(
        [
            [
                reduce(
                    [
                        int(image[top + down, left + right])
                        for down in range(size)
                        for right in range(size)
                    ]
                )
                for left in lefts
            ]
            for top in tops
        ]
    )


def words(explorer) -> list[str]:
    return [
        text.get_text()
        for axes in explorer._figure.axes
        for text in (axes.title, *axes.texts)
    ]


def shown(explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.png)).convert("RGB"))


@pytest.mark.parametrize("mode", ["max", "average", "sum"])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 2), (3, 2), (2, 3), (4, 4)])
def test_pooling_in_two_passes_is_pooling_by_windows(size, stride, mode):
    result = explore_pooling(PHOTOGRAPH, size, stride, mode)._figure.axes[1]
    found = result.images[0].get_array()
    np.testing.assert_allclose(found, by_hand(SMALL, size, stride, mode))


def test_colours_are_pooled_each_on_its_own():
    after = explore_pooling(PHOTOGRAPH, 3, 2, "max")._figure.axes[3]
    found = after.images[0].get_array()
    for channel in range(3):
        expected = by_hand(PHOTOGRAPH[..., channel], 3, 2, "max") / 255
        np.testing.assert_allclose(found[..., channel], expected)


@pytest.mark.usefixtures("no_warning")
def test_it_shows_a_picture_and_a_sentence_at_once_and_leaves_no_figure():
    explorer = explore_pooling(PHOTOGRAPH)
    assert shown(explorer).std() > 20
    assert "the max of 8, 0, 5, 0 is 8." in explorer.sentence.value
    assert "25% are left" in explorer.sentence.value
    assert {"picture: 7x7", "photograph: 24x36", "photograph, pooled: 12x18"} <= set(
        words(explorer)
    )
    assert pyplot.get_fignums() == []


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize(
    ("control", "value", "expected"),
    [
        ("size", 4, "max, 4x4, stride 2: 2x2"),
        ("stride", 1, "max, 2x2, stride 1: 6x6"),
        ("mode", "average", "average, 2x2, stride 2: 3x3"),
    ],
)
def test_each_control_changes_the_picture(control, value, expected):
    explorer = explore_pooling(PHOTOGRAPH)
    before = shown(explorer)
    explorer.controls[control].value = value
    assert expected in words(explorer)
    assert not np.array_equal(before, shown(explorer))


def test_the_window_slider_walks_over_all_windows_and_starts_again():
    explorer = explore_pooling(PHOTOGRAPH)
    explorer.controls["window"].value = 9
    assert "Window 9 of 9: the max of 7, 2, 2, 9 is 9." in explorer.sentence.value
    explorer.controls["window"].value = 10
    assert "Window 1 of 9" in explorer.sentence.value


def test_pixels_that_no_window_reaches_are_struck_out():
    explorer = explore_pooling(PHOTOGRAPH)
    assert words(explorer).count("x") == 13
    explorer.controls["size"].value = 3
    assert words(explorer).count("x") == 0


def test_sums_of_the_photograph_are_scaled_to_be_seen():
    explorer = explore_pooling(PHOTOGRAPH, mode="sum", size=4)
    drawn = explorer._figure.axes[3].images[0].get_array()
    assert drawn.max() == pytest.approx(1.0)


def test_a_grey_photograph_of_floats_can_be_shown():
    explorer = explore_pooling(PHOTOGRAPH[..., 0] / 255)
    assert "photograph, pooled: 12x18" in words(explorer)


def test_the_picture_does_not_move_when_a_control_changes():
    explorer = explore_pooling(PHOTOGRAPH)
    first = shown(explorer).shape
    explorer.controls["size"].value = 1
    assert shown(explorer).shape == first
