"""Training on tiny drawn data: what is learned, what is shown, what is refused."""

import os

import keras
import nbformat
import numpy as np
import pytest
from keras import layers
from nbclient import NotebookClient

from labkit import training
from labkit.training import loop, machine, progress


def stripes(count=96, seed=0):
    """Pictures 8x8 of horizontal (0) or vertical (1) stripes in noise, uint8."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    waves = (np.arange(8) % 2 * 120)[:, None] * np.ones((8, 8), int)
    pictures = np.where(labels[:, None, None] == 0, waves, waves.T)
    pictures = pictures + rng.integers(0, 100, (count, 8, 8))
    return pictures[..., None].astype("uint8"), labels


def network(seed=0, **last):
    keras.utils.set_random_seed(seed)
    last = {"activation": "softmax"} | last
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, **last),
        ]
    )


def fit(model, images, labels, **options):
    options = {
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 0.02,
        "progress": "none",
    } | options
    return training.fit(model, images, labels, **options)


def weights(model):
    return [weight.numpy() for weight in model.weights]


# ---------------------------------------------------------------- fit


def test_it_learns_and_fills_the_table(capfd):
    images, labels = stripes()
    model = network()
    history = fit(
        model,
        images,
        labels,
        epochs=6,
        validation=stripes(40, seed=1),
        weight_decay=0.01,
        clip_norm=1.0,
        label_smoothing=0.05,
        augment=training.random_flip,
        progress="text",
        title="Stripes",
    )
    assert list(history.rows[0]) == [
        "epoch",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "seconds",
    ]
    assert history.column("epoch").tolist() == [1, 2, 3, 4, 5, 6]
    assert history.column("loss")[-1] < history.column("loss")[0]
    assert history.column("val_accuracy")[-1] > 0.9
    assert 0 < history.column("seconds").sum() <= history.seconds
    assert set(history.curves()) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.best_epoch == 1 + np.argmin(history.column("val_loss"))

    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == history.setup and lines[-1] == history.summary()
    assert lines[1].startswith("epoch 1 of 6, ") and "validation" in lines[1]
    assert len(lines) == 8


def test_a_step_is_traced_once():
    """TensorFlow traces it once more where it makes variables: half of a short training."""
    traced = []

    class Watched(layers.Dense):
        def call(self, inputs, training=False):
            if training:
                traced.append(inputs)
            return super().call(inputs)

    images, labels = stripes()
    model = keras.Sequential([layers.Flatten(), Watched(2, activation="softmax")])
    history = fit(model, images, labels, validation=(images, labels), clip_norm=1.0)
    assert len(history.rows) == 2 and len(traced) == 1


def test_history_reads_well_as_text_and_html():
    history = training.History("Training <x>.", seconds=75.2)
    assert str(history) == "Training <x>.\nepoch\n0 epochs in 1:15"
    for epoch, loss in enumerate((0.5, 0.25, 0.4), start=1):
        history.rows.append({"epoch": epoch, "loss": loss, "val_loss": loss + 0.1})
    history.note = "stopped early"
    assert history.best_epoch == 2
    assert str(history).splitlines() == [
        "Training <x>.",
        "epoch    loss  val loss",
        "    1  0.5000    0.6000",
        "    2  0.2500    0.3500",
        "    3  0.4000    0.5000",
        "3 epochs in 1:15; lowest validation loss in epoch 2; stopped early",
    ]
    page = history._repr_html_()
    assert (
        "Training &lt;x&gt;." in page and "<th>2</th>" in page and "<td>3</td>" in page
    )


@pytest.mark.parametrize(
    ("epochs", "best", "shown"),
    [
        (20, 7, [*range(1, 21)]),
        (21, 19, [1, 2, 3, 4, 5, "...", 17, 18, 19, 20, 21]),
        (60, 47, [1, 2, 3, 4, 5, "...", 47, "...", 56, 57, 58, 59, 60]),
        (60, 6, [1, 2, 3, 4, 5, 6, "...", 56, 57, 58, 59, 60]),
    ],
)
def test_a_long_history_shows_its_ends_and_its_best_epoch(epochs, best, shown):
    rows = [{"epoch": n, "loss": 1 + abs(n - best)} for n in range(1, epochs + 1)]
    history = training.History("Training.", rows)
    told = [line.split()[0] for line in str(history).splitlines()[2:-1]]
    assert told == [str(epoch) for epoch in shown]
    assert repr(history) == str(history)
    page = history._repr_html_()
    assert page.count("<tr>") == len(shown) + 1
    assert f"<th>{best}</th>" in page


def test_early_stopping_goes_back_to_the_best_weights():
    images, labels = stripes()
    seen, lied = stripes(40, seed=1)
    model = network()
    # Labels the wrong way round: the better it learns, the higher this loss.
    history = fit(
        model,
        images,
        labels,
        epochs=30,
        validation=(seen, 1 - lied),
        patience=2,
        schedule="constant",
    )
    assert len(history.rows) == history.best_epoch + 2 < 30
    assert "stopped early" in history.summary()
    answer = training.predict(model, seen)
    loss = -np.log(answer[np.arange(40), 1 - lied]).mean()
    assert loss == pytest.approx(min(history.column("val_loss")), rel=0.05)
    assert loss < history.column("val_loss")[-1]


def test_the_same_seeds_give_the_same_weights():
    images, labels = stripes()
    models = [network(seed=3) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        fit(model, images, labels, augment=training.random_shift, seed=seed)
    first, same, other = map(weights, models)
    for a, b in zip(first, same, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, other, strict=True))


def test_weight_decay_shrinks_kernels_and_nothing_else():
    images, labels = stripes(16)
    plain, decayed = network(), network()
    options = {"epochs": 1, "schedule": "constant", "optimizer": "sgd"}
    fit(plain, images, labels, **options)
    fit(decayed, images, labels, weight_decay=10.0, **options)
    for a, b, start in zip(
        plain.trainable_weights,
        decayed.trainable_weights,
        network().trainable_weights,
        strict=True,
    ):
        shrunk = (
            a.numpy() - 0.02 * 10 * start.numpy() if len(a.shape) > 1 else a.numpy()
        )
        np.testing.assert_allclose(b.numpy(), shrunk, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_steps_of_one_operation_are_keras_s(monkeypatch, optimizer):
    images, labels = stripes()
    options = {
        "optimizer": optimizer.lower(),
        "learning_rate": 0.01,
        "weight_decay": 0.05,
        "clip_norm": 0.5,
        "epochs": 3,
        "precision": "float32",
    }
    ours, keras_s, start = network(), network(), network()
    fit(ours, images, labels, **options)
    monkeypatch.setattr(loop, optimizer, getattr(keras.optimizers, optimizer))
    fit(keras_s, images, labels, **options)
    for a, b, c in zip(*map(weights, (ours, keras_s, start)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
        assert np.abs(a - c).max() > 1e-3
    pairs = zip(ours.optimizer.variables, keras_s.optimizer.variables, strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-2, atol=1e-4)


def test_clipping_bounds_the_step():
    images, labels = stripes(16)
    model, start = network(), network()
    options = {"epochs": 1, "schedule": "constant", "learning_rate": 1.0}
    fit(model, images, labels, optimizer="sgd", clip_norm=1e-3, **options)
    pairs = zip(model.trainable_weights, start.trainable_weights, strict=True)
    step = np.sqrt(sum(((a.numpy() - b.numpy()) ** 2).sum() for a, b in pairs))
    assert 0 < step <= 1.9e-3 * 1.01  # Nesterov: (1 + momentum) times the gradient


def test_a_loss_that_is_no_number_ends_the_training():
    images, labels = stripes()
    broken = images.astype("float32")
    broken[:] = np.nan
    history = fit(network(), broken, labels, epochs=5)
    assert len(history.rows) == 1
    assert "lower learning_rate" in history.summary()


def test_stopping_by_hand_keeps_the_model(monkeypatch):
    images, labels = stripes()
    calls = []

    def interrupted(pictures, rng):
        calls.append(1)
        return pictures

    class Stop(progress.Silent):
        def epoch_end(self, history, status):
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "screen_for", lambda *_: Stop())
    history = fit(network(), images, labels, epochs=5, augment=interrupted)
    assert len(history.rows) == 1 and "stopped by hand" in history.summary()
    assert calls


def test_a_network_without_input_shape_is_built():
    images, labels = stripes()
    model = keras.Sequential(
        [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, "softmax")]
    )
    history = fit(model, images, labels)
    assert len(history.rows) == 2 and model.built


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(96, 2)}, "has 2 outputs: expected 0 to 1"),
        ({"labels": np.eye(2)[np.zeros(96, int)]}, "one class number for each picture"),
        ({"labels": np.zeros(95, int)}, "96 pictures and 95 labels"),
        ({"model": network(activation=None)}, 'activation="softmax"'),
        ({"patience": 2}, "validation=\\(images, labels\\)"),
        ({"schedule": "steps"}, "expected one of constant, cosine"),
        ({"optimizer": "lion"}, "expected adam or sgd"),
        ({"precision": "float16"}, "expected auto, float32 or bfloat16"),
        ({"progress": "bar"}, "expected auto, curves, text or none"),
    ],
)
def test_mistakes_are_named(change, message):
    images, labels = stripes()
    options = {"model": network(), "images": images, "labels": labels} | change
    with pytest.raises(ValueError, match=message):
        fit(**options)


# ---------------------------------------------------------------- precision and device

held_back = pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ,
    reason="oneDNN is held to older instructions, and TensorFlow asks it for bfloat16",
)


@held_back
def test_bfloat16_is_for_the_training_alone(capfd):
    images, labels = stripes()
    model = network()
    seen = []

    def spy(pictures, rng):
        seen.append([layer.compute_dtype for layer in model.layers])
        return pictures

    history = fit(
        model, images, labels, precision="bfloat16", augment=spy, progress="text"
    )
    assert seen[-1] == ["bfloat16"] * 5 + ["float32"]
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert history.column("loss")[-1] < history.column("loss")[0]
    answer = training.predict(model, images)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
    assert " in bfloat16, " in capfd.readouterr().out


@held_back
@pytest.mark.parametrize(("fast", "word"), [(True, "bfloat16"), (False, "float32")])
def test_the_machine_decides_and_one_line_says_so(monkeypatch, fast, word):
    monkeypatch.setattr(loop, "device", lambda: training.Device("CPU", 2, fast))
    images, labels = stripes(16)
    line = fit(network(), images, labels, epochs=1).setup
    assert f"on CPU, 2 cores, in {word} (bfloat16 is " in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        ("flags : sse avx512_bf16 avx", True),
        ("flags : amx_tile amx_bf16", True),
        ("flags : sse avx2 bf16_like", False),
    ],
)
def test_cpu_flags(tmp_path, monkeypatch, text, fast):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert machine._cpu_has_bfloat16(file) is fast


def test_without_cpu_flags_bfloat16_is_off(tmp_path):
    assert machine._cpu_has_bfloat16(tmp_path / "missing") is False


@pytest.mark.parametrize(
    ("isa", "fast"),
    [
        ("AVX2", False),
        ("avx512_core_vnni", False),
        ("AVX512_CORE_BF16", True),
        ("DEFAULT", True),
        ("", True),
    ],
)
def test_bfloat16_is_off_where_onednn_may_not_use_it(tmp_path, monkeypatch, isa, fast):
    file = tmp_path / "cpuinfo"
    file.write_text("flags : avx512_bf16")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert machine._cpu_has_bfloat16(file) is fast


def test_device_describes_itself():
    here = training.device()
    assert here.kind in ("CPU", "GPU") and here.count >= 1
    assert str(training.Device("GPU", 1, True)) == "GPU, 1 device"


# ---------------------------------------------------------------- schedules, batches


@pytest.mark.parametrize("schedule", training.SCHEDULES)
def test_schedules_stay_between_nought_and_the_peak(schedule):
    rates = training.learning_rates(schedule, 1000, 0.5)
    assert rates.shape == (1000,) and rates.dtype == np.float32
    assert rates.min() >= 0 and rates.max() == pytest.approx(0.5, rel=0.01)
    top = {"constant": 0, "cosine": 0, "triangular": 200, "one-cycle": 300}[schedule]
    assert abs(int(rates.argmax()) - top) <= 1
    if schedule != "constant":
        assert rates[-1] < 0.001
        assert (np.diff(rates[top + 1 :]) <= 0).all()


def test_one_cycle_starts_at_a_twenty_fifth():
    assert training.learning_rates("one-cycle", 1000, 0.5)[0] == pytest.approx(
        0.02, rel=0.01
    )


def test_the_optimiser_reads_the_schedule():
    images, labels = stripes(64)
    model = network()
    history = fit(model, images, labels, schedule="triangular", epochs=5)
    expected = training.learning_rates("triangular", 20, 0.02)
    np.testing.assert_allclose(
        history.column("learning_rate"), expected[3::4], rtol=1e-5
    )
    schedule = training.Schedule("triangular", 20, 0.02)
    found = [float(schedule(step)) for step in (0, 7, 19, 25)]
    np.testing.assert_allclose(found, expected[[0, 7, 19, 19]], rtol=1e-5)
    assert type(schedule).from_config(schedule.get_config())(7) == schedule(7)


def ramp(step, steps, peak):
    """A course of one's own: down along a line, floats of NumPy as a student has them."""
    return np.float64(peak * (1 - step / steps))


def test_a_function_may_be_the_schedule(tmp_path):
    images, labels = stripes(64)
    model = network()
    history = fit(model, images, labels, schedule=ramp, epochs=2)
    expected = 0.02 * (1 - (np.arange(8) + 0.5) / 8)
    np.testing.assert_allclose(
        history.column("learning_rate"), expected[3::4], rtol=1e-5
    )
    # The model can be saved and read where there is no such function.
    model.save(tmp_path / "model.keras")
    kept = keras.saving.load_model(tmp_path / "model.keras").optimizer
    rates = kept.get_config()["learning_rate"]["config"]["schedule"]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("course", "found"),
    [
        (lambda step, steps, peak: -peak, "gave -0.1"),
        (lambda step, steps, peak: np.ones(3), r"gave \[1.0, 1.0, 1.0\]"),
        (lambda step, steps, peak: None, "gave None"),
        (lambda step, steps, peak: np.nan, "gave nan"),
    ],
)
def test_a_function_that_gives_no_rate_is_refused(course, found):
    with pytest.raises(ValueError, match=found + "; expected one learning rate"):
        training.learning_rates(course, 4, 0.1)


def test_batches_hold_every_picture_once_in_a_new_order():
    images = np.arange(10, dtype="uint8")[:, None, None]
    targets = np.eye(10, dtype="float32")
    batches = training.Batches(images, targets, 4, seed=5)
    epochs = []
    for _ in range(2):
        parts = [batches[i] for i in range(len(batches))]
        assert [len(pictures) for pictures, _ in parts] == [4, 4, 2]
        order = np.concatenate([pictures.ravel() for pictures, _ in parts])
        truth = np.concatenate([target.argmax(axis=1) for _, target in parts])
        np.testing.assert_array_equal(order, truth)
        assert sorted(order) == list(range(10))
        epochs.append(order.tolist())
        batches.on_epoch_end()
    assert epochs[0] != epochs[1]


def test_each_epoch_of_a_training_has_every_picture_once_in_an_order_of_its_own():
    images = np.arange(10, dtype="uint8")[:, None, None, None] * np.ones(
        (1, 2, 2, 1), "uint8"
    )
    seen = []

    def note(part, rng):
        seen.append(part[:, 0, 0, 0].tolist())
        return part

    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    labels = np.arange(10) % 2
    settings = {"epochs": 3, "batch_size": 4, "augment": note, "progress": "none"}
    training.fit(model, images, labels, **settings)
    parts = [seen[-9:-6], seen[-6:-3], seen[-3:]]
    epochs = [[number for part in of for number in part] for of in parts]
    assert [sorted(one) for one in epochs] == [list(range(10))] * 3
    assert len({tuple(one) for one in epochs}) == 3


def test_alternating_flips_show_each_side_every_other_epoch():
    images = np.tile(np.arange(4, dtype="uint8"), (30, 2, 1))[..., None]
    images += np.arange(30, dtype="uint8")[:, None, None, None] * 8
    targets = np.eye(30, dtype="float32")
    batches = training.Batches(images, targets, 7, alternate_flips=True, seed=3)
    kept = images.copy()
    sides = []
    for _ in range(3):
        seen = {}
        for pictures, target in (batches[i] for i in range(len(batches))):
            for picture, number in zip(pictures, target.argmax(axis=1), strict=True):
                as_it_was = (picture == images[number]).all()
                assert as_it_was or (picture == images[number, :, ::-1]).all()
                seen[int(number)] = bool(as_it_was)
        sides.append([seen[number] for number in range(30)])
        batches.on_epoch_end()
    assert 5 < sum(sides[0]) < 25
    assert sides[1] == [not side for side in sides[0]] and sides[2] == sides[0]
    np.testing.assert_array_equal(images, kept)


def test_lookahead_draws_back_more_and_more():
    images, labels = stripes()
    ends = {}
    for lookahead in (False, True):
        model = network()
        fit(model, images, labels, epochs=6, optimizer="sgd", lookahead=lookahead)
        ends[lookahead] = weights(model)
        assert (training.predict(model, images).argmax(axis=1) == labels).mean() > 0.8
    apart = [np.abs(a - b).max() for a, b in zip(*ends.values(), strict=True)]
    assert 0 < max(apart) < 0.5
    # At rate 0 nothing moves, so the mean of the past is where the weights are.
    model = network()
    before = weights(model)
    fit(model, images, labels, learning_rate=0.0, optimizer="sgd", lookahead=True)
    kernel = 0
    np.testing.assert_allclose(weights(model)[kernel], before[kernel], atol=1e-6)


# ---------------------------------------------------------------- augmentation


def test_random_shift_moves_and_mirrors_the_edges():
    image = np.arange(30, dtype="uint8").reshape(1, 5, 6)
    padded = np.pad(image[0], 2, mode="reflect")
    windows = [padded[i : i + 5, j : j + 6] for i in range(5) for j in range(5)]
    moved = training.random_shift(np.repeat(image, 200, 0), np.random.default_rng(0))
    assert moved.dtype == np.uint8 and moved.shape == (200, 5, 6)
    seen = {tuple(picture.ravel()) for picture in moved}
    assert seen == {tuple(window.ravel()) for window in windows}


def test_random_shift_keeps_the_channels_of_a_pixel_together():
    rng = np.random.default_rng(0)
    grey = rng.random((20, 7, 7))
    colour = np.stack([grey, 2 * grey], axis=-1)
    moved = training.random_shift(colour, rng, pixels=3)
    np.testing.assert_array_equal(moved[..., 1], 2 * moved[..., 0])
    assert not np.array_equal(moved, colour)


def test_random_cover_hides_a_square():
    images = np.full((40, 12, 12, 3), 7, np.uint8)
    covered = training.random_cover(images, np.random.default_rng(0))
    assert (images == 7).all()
    hidden = (covered == 128).all(axis=-1)
    assert ((covered == 7).all(axis=-1) | hidden).all()
    assert (
        hidden.sum(axis=(1, 2)).max() == 25
    )  # two pixels to each side, if it is inside
    assert len({tuple(np.argwhere(one).mean(axis=0)) for one in hidden}) > 20
    assert training.random_cover(images[..., 0], np.random.default_rng(0)).ndim == 3


def test_halved_takes_the_mean_of_four_pixels():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 6, 8, 3), dtype="uint8")
    small = training.halved(images)
    assert small.shape == (3, 3, 4, 3) and small.dtype == np.uint8
    assert abs(small[1, 2, 3, 0] - images[1, 4:, 6:, 0].mean()) <= 0.5
    np.testing.assert_array_equal(training.halved(images[..., 0]), small[..., 0])
    assert training.halved(images[:, :5, :7]).shape == (3, 2, 3, 3)
    assert (training.halved(np.full((1, 4, 4), 255, "uint8")) == 255).all()


def test_random_flip_mirrors_about_half():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 3, 4, 3), dtype="uint8")
    before = images.copy()
    flipped = training.random_flip(images, rng)
    np.testing.assert_array_equal(images, before)
    same = (flipped == images).all(axis=(1, 2, 3))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


# ---------------------------------------------------------------- predict, screens


def test_predict_averages_over_mirror_images():
    images, labels = stripes()
    model = network()
    fit(model, images, labels)
    one = training.predict(model, images, batch_size=40)
    other = training.predict(model, images[:, :, ::-1])
    both = training.predict(model, images, flips=True)
    assert one.shape == (96, 2) and one.dtype == both.dtype == np.float32
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-6)
    np.testing.assert_allclose(both, training.predict(model, images[:, :, ::-1], True))
    assert not np.allclose(one, both)


def test_predict_averages_over_shifts():
    images, labels = stripes(20)
    model = network()
    fit(model, images, labels)
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    corners = (2, 2), (0, 2), (4, 2), (2, 0), (2, 4)
    looks = [wide[:, i : i + 8, j : j + 8] for i, j in corners]
    expected = np.mean([training.predict(model, look) for look in looks], axis=0)
    found = training.predict(model, images, shifts=2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    both = training.predict(model, images, flips=True, shifts=2)
    looks += [look[:, :, ::-1] for look in looks]
    expected = np.mean([training.predict(model, look) for look in looks], axis=0)
    np.testing.assert_allclose(both, expected, atol=1e-6)
    assert both.dtype == np.float32
    # Grey pictures without an axis of channels, to a model that has seen no others.
    grey = training.predict(keras.models.clone_model(model), images[..., 0], shifts=2)
    assert grey.shape == (20, 2)


def test_many_models_in_a_row_write_nothing_to_standard_error(capfd):
    images, labels = stripes(32)
    for seed in range(6):
        model = network(seed)
        fit(model, images, labels, epochs=1, validation=(images, labels))
        training.predict(model, images[: 32 - seed])
    assert capfd.readouterr() == ("", "")


def test_a_notebook_ends_with_one_figure_and_no_warnings():
    source = """
import numpy as np, keras
from labkit import training
from labkit.training import progress
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (64, 8, 8, 1), dtype="uint8")
labels = rng.integers(0, 2, 64)
layers = [keras.layers.Input((8, 8, 1)), keras.layers.Flatten(),
          keras.layers.Dense(2, activation="softmax")]
class Slow(progress.Curves):  # redraws at every chance
    def _show(self, history, status):
        super()._show(history, status)
        self.next_draw = 0
progress.Curves = Slow
history = training.fit(keras.Sequential(layers), images, labels, epochs=4,
                       validation=(images, labels), title="Noise")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["stream", "display_data"]
    assert outputs[0].name == "stdout" and outputs[0].text.count("\n") == 1
    assert "image/png" in outputs[1].data
    assert outputs[1].data["text/plain"].startswith("Noise. 4 epochs in 0:")
