import io

import numpy as np
import pytest
from PIL import Image

from labkit.widgets.layers import explore_layer_sizes


def picture(explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.png)).convert("RGB"))


def test_it_starts_with_the_tutorials_2304():
    assert "6 · 6 · 64 = 2,304" in explore_layer_sizes().sentence.value


def test_the_whole_picture_without_padding_gives_1600():
    explorer = explore_layer_sizes()
    explorer.controls["size"].value = 32
    explorer.controls["padding"].value = "valid"
    assert "5 · 5 · 64 = 1,600" in explorer.sentence.value
    assert "614,784 parameters" in explorer.sentence.value


@pytest.mark.parametrize(
    "settings, numbers",
    [
        ({"size": 20, "padding": "same"}, "1,600"),
        ({"pool": "3x3, stride 2"}, "1,600"),
        ({"size": 32, "stages": 1}, "16,384"),
        ({"size": 28, "kernel_size": 3, "padding": "valid", "stages": 3}, "64"),
    ],
)
def test_sizes(settings, numbers):
    assert f"= {numbers} numbers" in explore_layer_sizes(**settings).sentence.value


def test_it_says_where_a_filter_does_not_fit():
    explorer = explore_layer_sizes(size=16, padding="valid", stages=3)
    assert "no longer fits" in explorer.sentence.value


def test_a_change_draws_another_picture():
    explorer = explore_layer_sizes()
    before = picture(explorer)
    explorer.controls["stages"].value = 3
    after = picture(explorer)
    assert before.shape == after.shape
    assert (before != after).any()


def test_it_shows_a_still_picture_where_there_are_no_widgets():
    bundle = explore_layer_sizes()._repr_mimebundle_()[0]
    assert bundle["image/png"]
