"""Each figure shows what it was given, once, and leaves matplotlib as it was."""

import base64
import io
from datetime import datetime, timedelta
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from matplotlib import colors
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from seaborn.utils import relative_luminance

from labkit import plots
from labkit.execution.execute import execute, grading_environment
from labkit.plots.style import bundle

NAMES = ("ned_flanders", "moe_szyslak", "krusty_the_clown")
RNG = np.random.default_rng(7)
NOON = datetime(2030, 1, 15, 12)
PICTURES = RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
# Rows 0 and 3 are right; row 4 is the surest mistake.
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.5, 0.3, 0.2],
        [0.4, 0.35, 0.25],
        [0.6, 0.3, 0.1],
        [0.02, 0.03, 0.95],
        [0.2, 0.7, 0.1],
    ]
)
MATRIX = np.array([[18, 2, 0], [1, 8, 11], [0, 0, 10]])
HISTORY = {
    "loss": [2.0, 1.0, 0.5],
    "val_loss": [2.1, 1.2, 1.4],
    "accuracy": [0.3, 0.6, 0.8],
    "val_accuracy": [0.25, 0.55, 0.5],
}

FIGURES = {
    "image_grid": lambda: plots.image_grid(PICTURES, LABELS, NAMES, title="T"),
    "weights": lambda: plots.weights(RNG.normal(size=(64, 3)), (8, 8), title="T"),
    "filters": lambda: plots.filters(RNG.random((9, 3, 3, 3)), title="T"),
    "feature_maps": lambda: plots.feature_maps(RNG.random((4, 4, 9)), title="T"),
    "filters before and after": lambda: plots.filters(
        RNG.random((9, 3, 3, 3)), RNG.random((9, 3, 3, 3)), sort="hue", title="T"
    ),
    "confusion_matrix": lambda: plots.confusion_matrix(MATRIX, NAMES, title="T"),
    "score_history": lambda: plots.score_history(
        {"ada": [(NOON, 0.5), (NOON + timedelta(hours=1), 0.4)], "bea": []}, title="T"
    ),
    "curves": lambda: plots.curves(HISTORY, title="T"),
    "curve_sheet": lambda: plots.curve_sheet(
        {"a": {"plain": [[0.5, 0.7], [0.6]]}, "b": {"plain": [[0.4]]}}, title="T"
    ),
    "misclassified": lambda: plots.misclassified(
        PICTURES, LABELS, PROBABILITIES, NAMES, title="T"
    ),
    "top_k": lambda: plots.top_k(PICTURES, PROBABILITIES, NAMES, LABELS, title="T"),
    "confused_pairs": lambda: plots.confused_pairs(
        PICTURES, LABELS, PROBABILITIES.argmax(1), NAMES, title="T"
    ),
    "class_scores": lambda: plots.class_scores(
        {"precision": [0.5, 0.6, 0.9], "F1": [0.7, 0.4, 0.8]}, NAMES, title="T"
    ),
    "class_counts": lambda: plots.class_counts([0, 0, 1], NAMES, title="T"),
}


def words(figure) -> list[str]:
    """Return every text of a figure that can be seen."""
    figure.canvas.draw()
    texts = figure.findobj(matplotlib.text.Text)
    return [text.get_text() for text in texts if text.get_visible() and text.get_text()]


def pictures(figure) -> list:
    return [image for axes in figure.axes for image in axes.images]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_shows_its_title_and_leaves_no_trace(name):
    before = dict(matplotlib.rcParams)
    figure = FIGURES[name]()
    assert isinstance(figure, matplotlib.figure.Figure)
    assert "T" in words(figure)
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.usefixtures("no_warning")
def test_a_figure_is_drawn_without_a_warning_and_within_its_edges(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    drawn = figure.get_tightbbox(figure.canvas.get_renderer())  # inches
    width, height = figure.get_size_inches()
    assert drawn.x0 > -0.03 and drawn.x1 < width + 0.03
    assert drawn.y0 > -0.03 and drawn.y1 < height + 0.03


def test_the_same_values_give_the_same_picture():
    first, second = (
        bundle(plots.confusion_matrix(MATRIX, NAMES, title="T"))[0] for _ in range(2)
    )
    assert first == second


def test_a_notebook_shows_each_figure_once_sharp_and_in_words(tmp_path):
    """Pyplot's and ours, also once pyplot's own ways to show a figure are set up."""
    sources = (
        "import matplotlib.pyplot as plt\nimport numpy as np\nfrom labkit import plots",
        "digits = np.zeros((6, 8, 8))\nplots.image_grid(digits, title='Test digits')",
        "fig, axes = plt.subplots(figsize=(4, 2))\naxes.bar(['cat', 'dog'], [3, 5])\n"
        "axes.set(title='How many', xlabel='kind')\nplt.show()",
        "plots.image_grid(digits, title='Test digits')",
        "figure, axes = plt.subplots()\naxes.plot([1, 2])",
    )
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    ran = execute(notebook, tmp_path, grading_environment())
    outputs = [
        [out for out in cell.outputs if "image/png" in out.get("data", {})]
        for cell in ran.cells
    ]
    assert [len(found) for found in outputs] == [0, 1, 1, 1, 1]
    shown = [found[0] for found in outputs[1:]]
    assert [out.metadata["image/png"].alt for out in shown] == [
        "Test digits. 6 pictures.",
        "How many: bars: cat 3, dog 5; across kind.",
        "Test digits. 6 pictures.",
        "line from 1 at 0 to 2 at 1.",
    ]
    assert shown[0].metadata["image/png"].width == 864
    for out in shown:
        picture = Image.open(io.BytesIO(base64.b64decode(out.data["image/png"])))
        wide = 2 * out.metadata["image/png"].width
        assert picture.width == pytest.approx(wide, abs=1)


def test_jupyterlab_gets_a_figure_as_html_with_its_words(monkeypatch):
    """It shows a picture without them. Whatever they hold, they end no attribute."""
    monkeypatch.setenv("LABKIT_ALT_TEXT", "1")
    title = """Cats < "dogs" & 'birds'"""
    data, metadata = bundle(plots.image_grid(PICTURES, title=title))
    (found,) = elements(data["text/html"])
    assert found == {
        "class": "labkit-figure",
        "alt": f"{title}. 6 pictures.",
        "width": str(metadata["image/png"]["width"]),
        "height": str(metadata["image/png"]["height"]),
        "src": f"data:image/png;base64,{data['image/png']}",
    }


def elements(page):
    """The attributes of each element of a piece of HTML."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append(dict(attributes))
    parser.feed(page)
    return found


def test_ticks_that_are_no_texts_are_told_and_no_figure_is_lost(monkeypatch):
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    axes.plot([32, 64], [1, 2])
    axes.set_xticks([32, 64], [32, 64])
    assert plots.describe(figure) == "line from 1 at 32 to 2 at 64."
    monkeypatch.setattr("labkit.plots.style.describe", lambda figure: 1 / 0)
    data, _ = bundle(figure)
    assert data["image/png"]


WORDS = {
    "curves": "loss: line training from 2 at 1 to 0.5 at 3; line validation from 2.1",
    "misclassified": "4 pictures: 95% krusty the clown is moe szyslak, 70% moe",
    "top_k": "6 pictures: ned flanders, moe szyslak",
    "confused_pairs": "4 pictures",
    "class_scores": "line F1 from moe szyslak at 40% to krusty the clown at 80%",
    "class_counts": "bars: krusty the clown 0, moe szyslak 1, ned flanders 2",
    "score_history": "line ada from 50%",
    "confusion_matrix": "72.0% on the diagonal",
}


@pytest.mark.parametrize("name", WORDS)
def test_words_say_what_a_figure_shows(name):
    found = plots.describe(FIGURES[name]())
    assert found.startswith("T. ") and WORDS[name] in found
    assert len(found) <= 600


def test_a_table_of_numbers_and_a_long_text_in_words():
    figure = plots.Figure()
    axes = figure.subplots()
    axes.imshow(np.eye(2))
    for row, column in np.ndindex(2, 2):
        axes.text(column, row, "1")
    axes.set_title("weights in $w$")
    assert plots.describe(figure) == "weights in w: table of 2 by 2."
    figure.suptitle("word " * 200)
    assert len(plots.describe(figure)) <= 600
    assert plots.describe(figure).endswith("word…")


def test_logarithmic_axes_read_plainly():
    figure = plots.style.new_figure(2, "T")
    decades, within = figure.subplots(1, 2)
    decades.plot([0, 1], [0.01, 1000])
    within.plot([0, 1], [120, 380])
    for axes in (decades, within):
        axes.set_yscale("log")
    figure.canvas.draw()
    found = [
        {label.get_text() for label in axes.yaxis.get_ticklabels(which="both")}
        for axes in (decades, within)
    ]
    assert {"10⁻²", "10⁰", "10²"} <= found[0] and "2·10²" in found[1]
    assert not any("$" in text for texts in found for text in texts)


@pytest.mark.parametrize("name", ["curves", "score_history", "class_scores"])
def test_an_axis_of_shares_ends_at_100_percent(name):
    perfect = {
        "curves": lambda: plots.curves({"accuracy": [0.2, 1.0]}),
        "score_history": lambda: plots.score_history({"ada": [(NOON, 1.0)]}),
        "class_scores": lambda: plots.class_scores({"F1": [0.7, 1.0, 1.0]}, NAMES),
    }
    axes = perfect[name]().axes[0]
    high = axes.get_xlim()[1] if name == "class_scores" else axes.get_ylim()[1]
    assert high == 1


def test_pictures_of_different_sizes_and_without_colour_stand_in_one_grid():
    figure = plots.image_grid(
        [PICTURES[0], PICTURES[1][:5], PICTURES[2][..., 0], PICTURES[3][..., :1] / 255]
    )
    assert len(pictures(figure)) == 4
    assert pictures(figure)[3].get_clim() == (0, 1)


def test_pictures_with_standardised_values_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"from -1 to 2.*before you standardised"):
        plots.image_grid([np.array([[-1.0, 2.0]])])


def test_a_single_picture_instead_of_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"\(8, 8, 3\).*\[image\]"):
        plots.image_grid(PICTURES[0])


def test_labels_must_match_the_pictures():
    with pytest.raises(ValueError, match="6 images, 5 labels"):
        plots.image_grid(PICTURES, LABELS[:5], NAMES)


def test_negative_weights_are_red_and_positive_ones_blue_on_one_scale():
    w = np.zeros((4, 2))
    w[0, 0], w[3, 1] = -2.0, 1.0
    figure = plots.weights(w, (2, 2))
    first, second = pictures(figure)[:2]
    assert first.get_clim() == second.get_clim() == (-2, 2)
    red, _, blue, _ = first.cmap(first.norm(-2.0))
    assert red > 2 * blue
    red, _, blue, _ = second.cmap(second.norm(1.0))
    assert blue > 1.5 * red


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(784, C\).*found \(10, 784\)"):
        plots.weights(np.zeros((10, 784)))


def test_filters_in_keras_order_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"found \(3, 3, 4, 32\).*last axis"):
        plots.filters(np.zeros((3, 3, 4, 32)))


def test_every_filter_is_one_tile_with_its_own_values():
    kernels = RNG.random((9, 3, 3, 3))
    tiles = pictures(plots.filters(kernels))
    drawn = np.stack([tile.get_array() for tile in tiles])
    np.testing.assert_allclose(drawn, kernels, atol=1e-6)


def test_feature_maps_share_a_scale_and_silent_ones_are_counted():
    maps = RNG.random((4, 4, 9))
    maps[..., 2] = 0
    figure = plots.feature_maps(maps, PICTURES[0])
    scales = {image.get_clim() for image in pictures(figure)[1:10]}
    assert scales == {(0.0, maps.max())}
    assert any("1 silent" in text for text in words(figure))


def test_the_confusion_matrix_names_the_worst_pair_and_shows_counts():
    seen = words(plots.confusion_matrix(MATRIX, NAMES))
    assert {"18", "11", "8"} <= set(seen)
    assert "0" not in seen
    heading = next(text for text in seen if "Most confused" in text)
    assert heading.startswith("72.0% on the diagonal")
    assert "Most confused: moe szyslak → krusty the clown 11" in heading


def test_the_numbers_of_a_confusion_matrix_stand_out_from_their_ground():
    matrix = np.diag(range(40, 100, 6)) + np.triu(
        np.arange(100).reshape(10, 10) % 23, 1
    )
    (axes,) = plots.confusion_matrix(matrix, [str(n) for n in range(10)]).axes
    hits, errors = (
        mesh.get_facecolor().reshape(10, 10, 4) for mesh in axes.collections
    )
    for number in axes.texts:
        column, row = map(int, number.get_position())
        ground = (hits if row == column else errors)[row, column]
        light, dark = sorted(map(relative_luminance, (ground, number.get_color())))[
            ::-1
        ]
        assert (light + 0.05) / (dark + 0.05) > 3.4, number


def test_the_normalised_confusion_matrix_shows_each_row_in_percent():
    seen = words(plots.confusion_matrix(MATRIX, NAMES, normalise=True))
    assert {"90", "10", "40", "55", "100"} <= set(seen)


def test_a_class_without_pictures_and_a_perfect_matrix_can_be_drawn():
    matrix = np.diag([3, 0, 2])
    for normalise in (False, True):
        seen = words(plots.confusion_matrix(matrix, NAMES, normalise=normalise))
        assert any(text.strip() == "100.0% on the diagonal." for text in seen)


def test_curves_pair_training_and_validation_and_mark_the_best_epoch():
    figure = plots.curves(HISTORY | {"learning_rate": [0.1, 0.2, 0.1]})
    assert [axes.get_title("left") for axes in figure.axes] == [
        "loss",
        "accuracy",
        "learning rate",
    ]
    loss = figure.axes[0]
    assert list(loss.lines[1].get_ydata()) == HISTORY["val_loss"]
    assert list(loss.lines[2].get_xdata()) == [2]
    assert {"1.2", "55.0%"} <= set(words(figure))


def test_curves_stand_a_diverged_training():
    figure = plots.curves({"loss": [1.0, np.nan], "val_loss": [np.nan, np.nan]})
    figure.canvas.draw()
    assert len(figure.axes[0].lines) == 2


def test_curves_without_a_series_are_refused():
    with pytest.raises(ValueError, match="at least one series"):
        plots.curves({})


def test_the_surest_mistake_comes_first():
    figure = plots.misclassified(PICTURES, LABELS, PROBABILITIES, NAMES, count=3)
    first = figure.axes[0]
    np.testing.assert_array_equal(first.images[0].get_array(), PICTURES[4])
    assert [text.get_text() for text in first.texts] == [
        "krusty the clown",
        "is moe szyslak",
    ]
    assert first.get_title() == "95%"
    assert any("4 of 6 are wrong" in text for text in words(figure))
    assert len(pictures(figure)) == 3


def test_no_mistakes_are_no_failure():
    figure = plots.misclassified(
        PICTURES, PROBABILITIES.argmax(1), PROBABILITIES, NAMES, title="T"
    )
    assert "0 of 6 are wrong" in words(figure)


def test_top_k_draws_the_likeliest_first_and_the_true_class_orange():
    figure = plots.top_k(PICTURES[4:5], PROBABILITIES[4:5], NAMES, LABELS[4:5], k=2)
    bars = figure.axes[1].patches
    assert [bar.get_width() for bar in bars] == [0.95, 0.03]
    red, _, blue, _ = colors.to_rgba(bars[1].get_facecolor())
    assert red > blue
    red, _, blue, _ = colors.to_rgba(bars[0].get_facecolor())
    assert blue > red
    assert "Orange: the true class." in words(figure)


def test_top_k_of_no_pictures_says_so():
    figure = plots.top_k(PICTURES[:0], PROBABILITIES[:0], NAMES, LABELS[:0], title="T")
    assert "No pictures." in [text.get_text() for text in figure.texts]


def test_top_k_says_how_often_the_true_class_is_among_the_first_k():
    figure = plots.top_k(PICTURES, PROBABILITIES, NAMES, LABELS, k=2, count=4)
    assert any("first 2 for 66.7% of 6" in text for text in words(figure))


def test_confused_pairs_show_the_right_pictures():
    labels = np.array([0, 0, 0, 1, 2, 2])
    predicted = np.array([1, 1, 0, 1, 2, 0])
    figure = plots.confused_pairs(PICTURES, labels, predicted, NAMES, pairs=2)
    drawn = [image.get_array() for image in pictures(figure)]
    np.testing.assert_array_equal(drawn, PICTURES[[0, 1, 5]])
    assert any("2 of 3" in text for text in words(figure))


def test_class_scores_are_sorted_by_the_last_score():
    figure = plots.class_scores(
        {"precision": [0.5, 0.6, 0.9], "F1": [0.7, 0.4, 0.8]}, NAMES
    )
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["moe szyslak", "ned flanders", "krusty the clown"]
    with pytest.raises(ValueError, match=r"3 values of 'F1'.*found 2"):
        plots.class_scores({"F1": [0.1, 0.2]}, NAMES)


def test_class_counts_count():
    figure = plots.class_counts([0, 0, 0, 1], NAMES[:2])
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1, 3]
    assert any("3.0 times" in text for text in words(figure))


# ---------------------------------------------------------------- normalisation and order


def shown_numbers(figure):
    """The numbers in a confusion matrix's cells, row by row."""
    texts = [text.get_text() for text in figure.axes[0].texts]
    return [text for text in texts if text.strip().isdecimal()]


def shown_pictures(figure):
    """The arrays of a figure's pictures, in the order of their places."""
    return [np.asarray(image.get_array()) for image in pictures(figure)]


def test_columns_in_percent_show_precision_on_the_diagonal():
    matrix = np.array([[30, 10], [10, 50]])
    figure = plots.confusion_matrix(matrix, ("a", "b"), normalise="predicted")
    assert sorted(set(shown_numbers(figure))) == ["17", "25", "75", "83"]
    assert figure.axes[0].get_xlabel() == "predicted, columns in percent"
    rows = plots.confusion_matrix(matrix, ("a", "b"), normalise="true")
    assert rows.axes[0].get_ylabel() == "true, rows in percent"


def test_by_similarity_classes_that_are_mixed_up_stand_side_by_side():
    names = ("a", "b", "c", "d", "e", "f")
    matrix = 50 * np.eye(6, dtype=int)
    for i, j in ((0, 3), (1, 4), (2, 5)):
        matrix[i, j] = matrix[j, i] = 20
    figure = plots.confusion_matrix(matrix, names, order="similarity")
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert sorted(shown) == list(names)
    for pair in ({"a", "d"}, {"b", "e"}, {"c", "f"}):
        places = sorted(shown.index(name) for name in pair)
        assert places[1] - places[0] == 1
    right = plots.confusion_matrix(np.eye(2), ("a", "b"), order="similarity")
    assert len(right.axes[0].get_xticklabels()) == 2


@pytest.mark.parametrize("options", [{"normalise": "rows"}, {"order": "size"}])
def test_an_unknown_normalisation_or_order_is_refused(options):
    with pytest.raises(ValueError, match="expected"):
        plots.confusion_matrix(MATRIX, NAMES, **options)


def test_one_scale_keeps_what_is_weak_weak():
    weak, strong = np.array([-0.1, 0.1]), np.array([-1.0, 3.0])
    first, second = plots.one_scale(weak, strong)
    assert second.tolist() == [0, 1]
    assert np.ptp(first) == pytest.approx(0.05)
    assert plots.one_scale(np.ones(3))[0].tolist() == [0, 0, 0]


def test_filters_are_sorted_by_hue_and_by_orientation():
    red, green, blue = (np.full((3, 3, 3), 0.1) for _ in range(3))
    red[..., 0], green[..., 1], blue[..., 2] = 0.9, 0.9, 0.9
    figure = plots.filters(np.stack([blue, red, green]), sort="hue")
    shown = [picture[1, 1].argmax() for picture in shown_pictures(figure)]
    assert shown == [0, 1, 2]
    right = np.tile([0.0, 0.5, 1.0], (3, 1))
    slant = np.add.outer([0.0, 0.5, 1.0], [0.0, 0.5, 1.0]) / 2
    figure = plots.filters(np.stack([right.T, slant, right]), sort="orientation")
    for picture, expected in zip(
        shown_pictures(figure), (right, slant, right.T), strict=True
    ):
        np.testing.assert_allclose(picture, expected)
    with pytest.raises(ValueError, match="sort is 'size'"):
        plots.filters(np.stack([right]), sort="size")


def test_filters_before_training_stand_left_in_the_same_order():
    after = np.stack([np.full((3, 3), value) for value in (0.1, 0.5, 0.9)])
    figure = plots.filters(after, 1 - after)
    shown = [float(picture[0, 0]) for picture in shown_pictures(figure)]
    assert shown == pytest.approx([0.9, 0.5, 0.1, 0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="the same filters twice"):
        plots.filters(after, after[:2])


def test_the_history_names_the_best_and_draws_the_best_so_far():
    series = {f"s{n}": [(NOON + timedelta(hours=n), 0.5)] for n in range(10)}
    series["s0"] += [(NOON + timedelta(hours=20), 0.3)]
    figure = plots.score_history(series, deadline=NOON + timedelta(hours=24))
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == [f"s{n}" for n in range(8)]
    assert any("2 others in grey" in text for text in words(figure))
    line = next(one for one in figure.axes[0].lines if one.get_label() == "s0")
    assert list(line.get_ydata()) == [0.5, 0.5, 0.5]
