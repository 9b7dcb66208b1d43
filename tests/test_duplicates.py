"""Near-duplicates are found, strangers are left apart, and it does not take long."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from labkit.kaggle.duplicates import (
    has_near_duplicate,
    near_duplicates,
    perceptual_hashes,
)


def scenes(count, size=28, seed=0):
    """Return smooth colour pictures that have nothing in common."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return [
        np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC))
        for c in coarse
    ]


def test_a_copy_saved_as_jpeg_resized_or_with_noise_stays_in_its_group():
    original = scenes(1, 56)[0]
    file = io.BytesIO()
    Image.fromarray(original).save(file, "JPEG", quality=60)
    noise = np.random.default_rng(0).normal(0, 10, original.shape)
    copies = [
        np.asarray(Image.open(file)),
        np.asarray(Image.fromarray(original).resize((28, 28))),
        np.clip(original + noise, 0, 255).astype(np.uint8),
        np.roll(original, 1, axis=1),
    ]
    assert near_duplicates([original, *copies]).tolist() == [0] * 5


def test_strangers_stay_apart():
    assert near_duplicates(scenes(300)).tolist() == list(range(300))


def test_groups_are_numbered_as_they_appear():
    a, b, c = scenes(3)
    assert near_duplicates([a, b, a, c, b]).tolist() == [0, 1, 0, 2, 1]


def test_a_chain_of_small_steps_is_one_group():
    first, last = (scene.astype(float) for scene in scenes(2))
    steps = np.linspace(0, 1, 41)
    frames = [(first + step * (last - first)).astype(np.uint8) for step in steps]
    apart = near_duplicates([frames[0], frames[-1]])
    assert apart.tolist() == [0, 1]
    assert set(near_duplicates(frames)) == {0}


def test_the_distance_is_in_bits():
    first, second = scenes(2)
    near = np.clip(first.astype(int) + 60 * (second > 128), 0, 255).astype(np.uint8)
    apart = int((perceptual_hashes([first]) != perceptual_hashes([near])).sum())
    assert 0 < apart < 64
    assert near_duplicates([first, near], distance=apart - 1).tolist() == [0, 1]
    assert near_duplicates([first, near], distance=apart).tolist() == [0, 0]


def test_the_hash_is_imagehashs():
    imagehash = pytest.importorskip("imagehash")
    first, second = scenes(2)
    hashes = [imagehash.phash(Image.fromarray(scene)) for scene in (first, second)]
    ours = perceptual_hashes([first, second])
    assert hashes[0] - hashes[1] == int((ours[0] != ours[1]).sum())


def test_it_is_told_which_pictures_have_a_near_duplicate_among_others():
    a, b, c = scenes(3)
    noise = np.random.default_rng(0).normal(0, 8, a.shape)
    copy = np.clip(a + noise, 0, 255).astype(np.uint8)
    assert has_near_duplicate([copy, c], [a, b]).tolist() == [True, False]
    assert has_near_duplicate([], [a]).shape == (0,)
    assert has_near_duplicate([a], []).tolist() == [False]


def test_grey_and_colour_of_one_picture_belong_together():
    grey = np.asarray(Image.fromarray(scenes(1)[0]).convert("L"))
    assert near_duplicates([grey, np.stack([grey] * 3, axis=-1)]).tolist() == [0, 0]


def test_pairs_across_blocks_are_found_and_none_is_lost():
    pictures = scenes(1500)
    groups = near_duplicates([*pictures, *pictures])
    np.testing.assert_array_equal(groups[:1500], groups[1500:])
    assert groups.max() > 1490  # of random pictures a few hashes are near by chance


def test_no_pictures_give_no_groups():
    assert near_duplicates([]).shape == (0,)


def test_other_pictures_are_refused_by_number():
    with pytest.raises(ValueError, match="picture 1 is float64"):
        near_duplicates([scenes(1)[0], np.zeros((4, 4))])


def test_eight_thousand_small_pictures_take_little_memory():
    pictures = np.random.default_rng(0).integers(0, 256, (8000, 28, 28, 3), np.uint8)
    tracemalloc.start()
    near_duplicates(pictures)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 * 2**20  # the distances of all pairs as numbers: 512 MB
