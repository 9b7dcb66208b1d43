"""Answers to lab 05: right ones, written differently, and wrong ones."""

VARIANTS = {
    "to_images": [
        """
def to_images(rows):
    return np.stack([rows[:, 1024 * c : 1024 * (c + 1)].reshape(-1, 32, 32) for c in range(3)], -1)
""",
        """
def to_images(rows):
    pictures = np.zeros((len(rows), 32, 32, 3), rows.dtype)
    for number, row in enumerate(rows):
        for colour in range(3):
            for line in range(32):
                start = 1024 * colour + 32 * line
                pictures[number, line, :, colour] = row[start : start + 32]
    return pictures
""",
        """
def to_images(rows):
    return np.moveaxis(np.reshape(rows, (-1, 3, 32, 32)), 1, -1)
""",
        """
def to_images(rows):
    return np.swapaxes(rows.reshape(-1, 3, 1024), 1, 2).reshape(-1, 32, 32, 3)
""",
        """
def to_images(rows):
    planes = keras.ops.reshape(keras.ops.convert_to_tensor(rows), (-1, 3, 32, 32))
    return keras.ops.transpose(planes, (0, 2, 3, 1))
""",
        """
def to_images(rows):
    return np.einsum("nchw->nhwc", rows.reshape(-1, 3, 32, 32))
""",
    ],
    "standardise": [
        """
def standardise(train, *others):
    means, deviations = [], []
    for channel in range(train.shape[-1]):
        values = train[..., channel].astype(float)
        means.append(values.mean())
        deviations.append(values.std() if values.std() > 1e-6 else 1.0)
    return tuple([((s - np.array(means)) / np.array(deviations)).astype(np.float32) for s in [train, *others]])
""",
        """
def standardise(train, *others):
    pixels = np.asarray(train, dtype=np.float32).reshape(-1, train.shape[-1])
    mean, std = pixels.mean(0), pixels.std(0)
    std[std < 1e-3] = 1
    result = []
    for images in (train,) + others:
        result.append((np.asarray(images, dtype=np.float32) - mean) / std)
    return tuple(result)
""",
        """
def standardise(train, *others):
    mean = np.mean(train, (0, 1, 2), keepdims=True)
    variance = np.mean((train - mean) ** 2, (0, 1, 2), keepdims=True)
    variance[variance < 1e-12] = 1
    scale = lambda images: np.float32((images - mean) / np.sqrt(variance))
    return (scale(train), *map(scale, others))
""",
        """
def standardise(train, *others):
    x = keras.ops.cast(train, "float32")
    mean = keras.ops.mean(x, axis=(0, 1, 2))
    std = keras.ops.std(x, axis=(0, 1, 2))
    std = keras.ops.where(std < 1e-6, keras.ops.ones_like(std), std)
    return tuple((keras.ops.cast(s, "float32") - mean) / std for s in (train, *others))
""",
    ],
    "batches": [
        """
def batches(x, y, size, seed):
    rng = np.random.RandomState(seed)
    order = np.arange(len(x))
    rng.shuffle(order)
    while len(order) > 0:
        yield x[order[:size]], y[order[:size]]
        order = order[size:]
""",
        """
def batches(x, y, size, seed):
    import random

    order = list(range(len(y)))
    random.Random(seed).shuffle(order)
    batch = []
    for index in order:
        batch.append(index)
        if len(batch) == size:
            yield x[batch], y[batch]
            batch = []
    if batch:
        yield x[batch], y[batch]
""",
        """
def batches(x, y, size, seed):
    order = np.argsort(np.random.default_rng(seed).random(len(x)))
    cuts = np.arange(size, len(x), size)
    yield from ((x[part], y[part]) for part in np.split(order, cuts))
""",
        """
def batches(x, y, size, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    count = int(np.ceil(len(x) / size))
    return ((x[order[i * size : (i + 1) * size]], y[order[i * size : (i + 1) * size]]) for i in range(count))
""",
    ],
    "crop": [
        """
def crop(images, tops, lefts, size):
    windows = [im[t : t + size, l : l + size] for im, t, l in zip(images, tops, lefts)]
    return np.stack(windows)
""",
        """
def crop(images, tops, lefts, size):
    result = np.empty((len(images), size, size, images.shape[-1]), images.dtype)
    for n in range(len(images)):
        for row in range(size):
            for column in range(size):
                result[n, row, column] = images[n, tops[n] + row, lefts[n] + column]
    return result
""",
        """
def crop(images, tops, lefts, size):
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return np.moveaxis(windows[np.arange(len(images)), tops, lefts], 1, -1)
""",
        """
def crop(images, tops, lefts, size):
    return np.array([images[i][int(tops[i]) :][:size][:, int(lefts[i]) :][:, :size] for i in range(len(tops))])
""",
    ],
    "adjust": [
        """
def adjust(images, brightness, contrast):
    result = np.empty_like(images)
    for n, image in enumerate(images):
        m = image.mean()
        new = brightness[n] * (m + contrast[n] * (image - m))
        if image.dtype == np.uint8:
            new = np.round(new)
        result[n] = np.clip(new, 0, 255)
    return result
""",
        """
def adjust(images, brightness, contrast):
    x = images.astype(np.float32)
    b = np.asarray(brightness, np.float32)[:, None, None, None]
    c = np.asarray(contrast, np.float32)[:, None, None, None]
    m = x.reshape(len(x), -1).mean(1)[:, None, None, None]
    y = np.minimum(np.maximum(b * c * x + b * (1 - c) * m, 0), 255)
    return (y + 0.5).astype(images.dtype) if images.dtype.kind == "u" else y
""",
        """
def adjust(images, brightness, contrast):
    x = keras.ops.cast(images, "float32")
    m = keras.ops.mean(x, axis=(1, 2, 3), keepdims=True)
    b = keras.ops.reshape(keras.ops.cast(brightness, "float32"), (-1, 1, 1, 1))
    c = keras.ops.reshape(keras.ops.cast(contrast, "float32"), (-1, 1, 1, 1))
    y = keras.ops.clip(b * (m + c * (x - m)), 0, 255)
    y = keras.ops.round(y) if images.dtype.kind in "iu" else y
    return keras.ops.convert_to_numpy(y).astype(images.dtype)
""",
    ],
    "augment": [
        """
def augment(images, rng):
    result = np.empty_like(images)
    size = images.shape[1]
    for n, image in enumerate(images):
        wide = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="reflect")
        top, left = rng.integers(0, 9), rng.integers(0, 9)
        part = wide[top : top + size, left : left + size].astype(float)
        if rng.random() < 0.5:
            part = part[:, ::-1]
        m = part.mean()
        part = rng.uniform(0.8, 1.2) * (m + rng.uniform(0.8, 1.2) * (part - m))
        result[n] = np.clip(np.round(part), 0, 255)
    return result
""",
        """
def augment(images, rng):
    n, size = len(images), images.shape[1]
    light, sharp = rng.uniform(0.8, 1.2, size=(2, n))
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    part = crop(wide, rng.integers(0, 9, n), rng.integers(0, 9, n), size)
    flip = rng.integers(0, 2, n).astype(bool)[:, None, None, None]
    return adjust(np.where(flip, part[:, :, ::-1], part), light, sharp)
""",
        """
def augment(images, rng):
    n = len(images)
    x = adjust(images, 0.8 + 0.4 * rng.random(n), 0.8 + 0.4 * rng.random(n))
    x = np.array([im[:, ::-1] if rng.random() > 0.5 else im for im in x])
    x = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="symmetric")
    return crop(x, rng.integers(0, 9, n), rng.integers(0, 9, n), images.shape[1])
""",
    ],
    "flat_size": [
        """
def flat_size(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    if stages == 0:
        return size**2 * filters
    lost = kernel_size - 1 if padding == "valid" else 0
    return flat_size((size - lost) // pool, padding, kernel_size, pool, stages - 1, filters)
""",
        """
def flat_size(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    stack = [layers.Input((size, size, 1))]
    for _ in range(stages):
        stack += [layers.Conv2D(filters, kernel_size, padding=padding), layers.MaxPooling2D(pool)]
    return keras.Sequential([*stack, layers.Flatten()]).output_shape[-1]
""",
        """
def flat_size(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    for _ in range(stages):
        if padding != "same":
            size -= kernel_size - 1
        size = (size - pool) // pool + 1
    return filters * size * size
""",
    ],
    "build_tutorial_cnn": [
        """
def build_tutorial_cnn():
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(64, (5, 5), padding="valid", activation="relu", name="conv1")(inputs)
    x = layers.MaxPool2D((2, 2), strides=2)(x)
    x = layers.Conv2D(64, (5, 5), activation="relu", name="conv2")(x)
    x = layers.MaxPool2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(384, activation="relu", name="fc3")(x)
    x = layers.Dense(192, activation="relu", name="fc4")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="fc5")(x))
""",
        """
def build_tutorial_cnn():
    model = keras.Sequential()
    model.add(keras.Input(shape=(32, 32, 3)))
    for number in (1, 2):
        model.add(layers.Conv2D(64, 5, name=f"conv{number}"))
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.Reshape((1600,)))
    for number, units in ((3, 384), (4, 192)):
        model.add(layers.Dense(units, name=f"fc{number}"))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(10, name="fc5"))
    model.add(layers.Softmax())
    return model
""",
        """
def build_tutorial_cnn():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(64, 5, name="conv1"),
            layers.MaxPooling2D(2),
            layers.Activation(keras.activations.relu),
            layers.Conv2D(64, 5, name="conv2"),
            layers.MaxPooling2D(2),
            layers.Activation(keras.activations.relu),
            layers.Flatten(),
            layers.Dense(384, "relu", kernel_initializer="he_normal", name="fc3"),
            layers.Dropout(0.5),
            layers.Dense(192, "relu", name="fc4"),
            layers.Dense(10, "softmax", name="fc5"),
        ]
    )
""",
    ],
    "build_simple_cnn": [
        """
def build_simple_cnn():
    inputs = x = keras.Input((32, 32, 3))
    for filters, count in ((64, 2), (128, 3)):
        for _ in range(count):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dense(1024, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
""",
        """
def build_simple_cnn():
    model = keras.Sequential([layers.Input((32, 32, 3))])
    for item in (64, 64, "pool", 128, 128, 128, "pool"):
        if item == "pool":
            model.add(layers.MaxPooling2D((2, 2), (2, 2)))
        else:
            model.add(layers.Conv2D(item, (3, 3), padding="same"))
            model.add(layers.ReLU())
    model.add(layers.Flatten())
    for units in (1024, 1024):
        model.add(layers.Dense(units, activation=keras.ops.relu))
    model.add(layers.Dense(10, activation=keras.ops.softmax))
    return model
""",
        """
def build_simple_cnn():
    def conv(filters):
        return layers.Conv2D(filters, 3, 1, "same", activation="relu")

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            *[conv(64) for _ in range(2)],
            layers.MaxPooling2D(),
            *[conv(128) for _ in range(3)],
            layers.MaxPooling2D(),
            layers.Reshape((8192,)),
            layers.Dense(1024, "relu"),
            layers.Dropout(0.5),
            layers.Dense(1024, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
""",
    ],
    "early_stop": [
        """
def early_stop(losses, patience):
    lowest, best, waited = float("inf"), 0, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < lowest:
            lowest, best, waited = loss, epoch, 0
        else:
            waited += 1
            if waited >= patience:
                break
    return epoch, best
""",
        """
def early_stop(losses, patience):
    losses = np.asarray(losses)
    for stop in range(1, len(losses) + 1):
        best = int(losses[:stop].argmin()) + 1
        if stop - best >= patience:
            break
    return stop, best
""",
        """
def early_stop(losses, patience):
    best, stop = 1, 1
    while stop < len(losses) and stop - best < patience:
        stop += 1
        if losses[stop - 1] < min(losses[: stop - 1]):
            best = stop
    return [stop, best]
""",
        """
def early_stop(losses, patience):
    losses = np.array(losses)
    lowest = np.minimum.accumulate(losses)
    better = np.concatenate([[True], losses[1:] < lowest[:-1]])
    last = np.maximum.accumulate(np.where(better, np.arange(len(losses)), 0))
    over = np.flatnonzero(np.arange(len(losses)) - last >= patience)
    stop = over[0] if len(over) else len(losses) - 1
    return np.array([stop + 1, last[stop] + 1])
""",
    ],
    "learning_rate": [
        """
def learning_rate(step, steps, peak, rise=0.2):
    t = np.asarray(step) / steps
    return np.where(t <= rise, peak * t / rise, peak * (1 - t) / (1 - rise))
""",
        """
def learning_rate(step, steps, peak, rise=0.2):
    t = np.divide(step, steps)
    return peak * np.minimum(t / rise, (1 - t) / (1 - rise))
""",
        """
def learning_rate(step, steps, peak, rise=0.2):
    if np.ndim(step):
        return np.array([learning_rate(s, steps, peak, rise) for s in step])
    top = rise * steps
    if step <= top:
        return peak * step / top
    return peak * (steps - step) / (steps - top)
""",
        """
def learning_rate(step, steps, peak, rise=0.2):
    t = keras.ops.cast(step, "float32") / steps
    return keras.ops.convert_to_numpy(peak * keras.ops.minimum(t / rise, (1 - t) / (1 - rise)))
""",
    ],
    "clip": [
        """
def clip(gradients, longest):
    norm = np.linalg.norm(np.concatenate([np.ravel(g) for g in gradients]))
    if norm <= longest:
        return [g.copy() for g in gradients]
    return [g * (longest / norm) for g in gradients]
""",
        """
def clip(gradients, longest):
    total = 0.0
    for gradient in gradients:
        for value in gradient.flat:
            total += value * value
    factor = min(1.0, longest / (total**0.5 + 1e-12))
    return [factor * gradient for gradient in gradients]
""",
        """
def clip(gradients, longest):
    import tensorflow as tf

    clipped, _ = tf.clip_by_global_norm([tf.constant(g, tf.float32) for g in gradients], longest)
    return [part.numpy() for part in clipped]
""",
        """
def clip(gradients, longest):
    norm = np.hypot.reduce([np.linalg.norm(g) for g in gradients])
    return [np.float32(g) * np.float32(1 if norm == 0 else min(1, longest / norm)) for g in gradients]
""",
    ],
    "running": [
        """
def batch_norm(x, gamma, beta, eps=1e-5):
    centred = x - np.mean(x, axis=0, keepdims=True)
    variance = np.sum(centred**2, axis=0) / len(x)
    return centred * (gamma / (variance + eps) ** 0.5) + beta


def running(mean, batch_mean, momentum=0.9):
    return mean + (1 - momentum) * (batch_mean - mean)
""",
        """
def batch_norm(x, gamma, beta, eps=1e-5):
    result = np.zeros(x.shape)
    for j in range(x.shape[1]):
        column = x[:, j]
        result[:, j] = (column - column.mean()) / np.sqrt(column.std() ** 2 + eps)
        result[:, j] = gamma[j] * result[:, j] + beta[j]
    return result


def running(mean, batch_mean, momentum=0.9):
    return [momentum * m + (1 - momentum) * b for m, b in zip(mean, batch_mean)]
""",
        """
def batch_norm(x, gamma, beta, eps=1e-5):
    x32 = keras.ops.cast(x, "float32")
    mean, variance = keras.ops.moments(x32, axes=[0])
    return keras.ops.convert_to_numpy((x32 - mean) * keras.ops.rsqrt(variance + eps) * gamma + beta)


def running(mean, batch_mean, momentum=0.9):
    return np.average([mean, batch_mean], axis=0, weights=[momentum, 1 - momentum])
""",
    ],
    "dropout": [
        """
def dropout(x, rate, rng):
    return np.where(rng.random(x.shape) < rate, 0, x / (1 - rate))
""",
        """
def dropout(x, rate, rng):
    result = np.array(x, dtype=np.float32)
    result[rng.uniform(size=x.shape) < rate] = 0
    return result / (1 - rate)
""",
        """
def dropout(x, rate, rng):
    flat = [v / (1 - rate) if rng.random() >= rate else 0.0 for v in np.ravel(x)]
    return np.reshape(flat, np.shape(x))
""",
    ],
    "occlusion": [
        """
def occlusion(model, image, label, size):
    height, width, _ = image.shape
    whole = model.predict(image[None], verbose=0)[0, label]
    rows = []
    for top in range(0, height, size):
        row = []
        for left in range(0, width, size):
            hidden = np.array(image, dtype="float32")
            hidden[top : min(top + size, height), left : min(left + size, width)] = 128
            row.append(whole - model.predict(hidden[None], verbose=0)[0, label])
        rows.append(row)
    return rows
""",
        """
def occlusion(model, image, label, size):
    rows, columns = (-(-side // size) for side in image.shape[:2])
    tile = np.arange(image.shape[0])[:, None] // size * columns + np.arange(image.shape[1]) // size
    hide = tile == np.arange(rows * columns)[:, None, None]
    views = np.where(hide[..., None], np.uint8(128), image)
    probability = lambda batch: np.asarray(model(batch, training=False))[:, label]
    return (probability(image[None]) - probability(views)).reshape(rows, columns)
""",
        """
def occlusion(model, image, label, size):
    kept = image.copy()
    whole = np.asarray(model(image[None], training=False))[0][label]
    found = np.zeros((int(np.ceil(image.shape[0] / size)), int(np.ceil(image.shape[1] / size))))
    for i, j in np.ndindex(found.shape):
        place = slice(i * size, i * size + size), slice(j * size, j * size + size)
        image[place] = 128
        found[i, j] = whole - np.asarray(model(image[None], training=False))[0][label]
        image[place] = kept[place]
    return found
""",
    ],
    "build_best": [
        """
def build_best():
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, pool in ((32, 2), (64, 2), (128, 1), (128, 2)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(pool)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.1)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
""",
        """
def build_best():
    def block(x, filters):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(2)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input((32, 32, 3))
    x = block(layers.Rescaling(1 / 127.5, offset=-1)(inputs), 32)
    x = block(x, 64)
    y = layers.Conv2D(64, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    x = block(layers.add([x, y]), 128)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
""",
        """
def build_best():
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, offset=-1)])
    for filters, pool in ((32, True), (64, False), (64, True), (128, False), (128, True)):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        if pool:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    model.add(layers.Softmax())
    return model
""",
    ],
    "class_accuracy": [
        """
def class_accuracy(labels, predicted, classes):
    shares = np.full(classes, np.nan)
    for c in range(classes):
        own = np.asarray(predicted)[np.asarray(labels) == c]
        if len(own):
            shares[c] = np.mean(own == c)
    return shares
""",
        """
def class_accuracy(labels, predicted, classes):
    right, total = [0] * classes, [0] * classes
    for label, answer in zip(labels, predicted):
        total[label] += 1
        right[label] += int(label == answer)
    return [r / t if t else float("nan") for r, t in zip(right, total)]
""",
        """
def class_accuracy(labels, predicted, classes):
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (labels, predicted), 1)
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / matrix.sum(axis=1)
""",
    ],
    "activations": [
        """
def activations(model, images, layer):
    part = keras.Model(model.inputs, {one.name: one.output for one in model.layers})
    return keras.ops.convert_to_numpy(part(images)[layer])
""",
        """
def activations(model, images, layer):
    part = keras.Model(inputs=model.inputs, outputs=model.get_layer(name=layer).output)
    return np.array(part(images, training=False))
""",
        """
def activations(model, images, layer):
    wanted = [one for one in model.layers if one.name == layer][0]
    function = keras.Function(model.inputs, wanted.output)
    return np.asarray(function([images]))
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "augment": [
        """
def augment(images, rng):
    n, size = len(images), images.shape[1]
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    part = crop(wide, rng.integers(0, 9, n), rng.integers(0, 9, n), size)
    flip = rng.random(n) < 0.5
    part[flip] = part[flip, :, ::-1]
    return adjust(part, rng.uniform(0.8, 1.2, n), rng.uniform(0.8, 1.2, n))
""",
        """
def augment(images, rng):
    n, size = len(images), images.shape[1]
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    part = crop(wide, rng.integers(0, 8, n), rng.integers(0, 8, n), size)
    flip = rng.random(n) < 0.5
    part[flip] = part[flip, :, ::-1]
    return adjust(part, rng.uniform(0.8, 1.2, n), rng.uniform(0.8, 1.2, n))
""",
        """
def augment(images, rng):
    n, size = len(images), images.shape[1]
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    light, place = rng.uniform(0.8, 1.2, n), rng.integers(0, 9, n)
    part = crop(wide, place, rng.integers(0, 9, n), size)
    flip = place % 2 == 0
    part[flip] = part[flip, :, ::-1]
    return adjust(part, light, light)
""",
    ],
    "running": [
        """
def batch_norm(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean(0)) / (x.std(0) + eps) + beta


def running(mean, batch_mean, momentum=0.9):
    return (1 - momentum) * mean + momentum * batch_mean
""",
    ],
    "dropout": [
        """
def dropout(x, rate, rng):
    return np.where(rng.random(x.shape) < rate, 0, x)
""",
    ],
    "to_images": [
        """
def to_images(rows):
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(float)
""",
    ],
    "standardise": [
        """
def standardise(train, *others):
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    deviation = np.maximum(deviation, 1)
    return tuple(((s - mean) / deviation).astype("float32") for s in (train, *others))
""",
        """
def standardise(train, *others):
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    deviation = np.where(deviation < 0.01, 1, deviation)
    return tuple(((s - mean) / deviation).astype("float32") for s in (train, *others))
""",
        """
def standardise(train, *others):
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    deviation[deviation == 0] = 1
    return tuple((s - mean) / deviation for s in (train, *others))
""",
    ],
    "batches": [
        """
def batches(x, y, size, seed):
    rng = np.random.default_rng(seed)
    for start in range(0, len(x), size):
        chosen = rng.permutation(np.arange(start, min(start + size, len(x))))
        yield x[chosen], y[chosen]
""",
        """
def batches(x, y, size, seed):
    blocks = np.split(np.arange(len(x)), range(size, len(x), size))
    np.random.default_rng(seed).shuffle(blocks[:-1])
    for chosen in blocks:
        yield x[chosen], y[chosen]
""",
        """
def batches(x, y, size, seed):
    order = np.roll(np.arange(len(x)), seed)
    for start in range(0, len(x), size):
        yield x[order[start : start + size]], y[order[start : start + size]]
""",
    ],
    "crop": [
        """
def crop(images, tops, lefts, size):
    cut = [i[t : t + size, l : l + size] for i, t, l in zip(images, tops, lefts)]
    return np.array(cut, dtype=float)
""",
    ],
    "adjust": [
        """
def adjust(images, brightness, contrast):
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip(b * (mean + c * (images - mean)), 0, 255).astype(images.dtype)
""",
        """
def adjust(images, brightness, contrast):
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip(np.round(b * (mean + c * (images - mean))), 0, 255).astype(images.dtype)
""",
        """
def adjust(images, brightness, contrast):
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    changed = b * (mean + c * (images - mean))
    if images.dtype == np.uint8:
        changed = np.clip(np.round(changed), 0, 255)
    return changed.astype(images.dtype)
""",
        """
def adjust(images, brightness, contrast):
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    changed = np.clip(np.round(b * (mean + c * (images - mean))), 0, 255)
    images[:] = changed.astype(images.dtype)
    return images
""",
    ],
    "early_stop": [
        """
def early_stop(losses, patience):
    best = 1
    for epoch in range(1, len(losses) + 1):
        if losses[best - 1] - losses[epoch - 1] > 0.01:
            best = epoch
        if epoch - best == patience:
            return epoch, best
    return len(losses), best
""",
        """
def early_stop(losses, patience):
    best = 1
    for epoch in range(1, len(losses) + 1):
        if losses[epoch - 1] < losses[best - 1] - 1e-4:
            best = epoch
        if epoch - best == patience:
            return epoch, best
    return len(losses), best
""",
        """
def early_stop(losses, patience):
    lowest, bad = losses[0], 0
    for epoch in range(1, len(losses)):
        lowest, bad = (losses[epoch], 0) if losses[epoch] < lowest else (lowest, bad + 1)
        if bad == patience:
            return epoch + 1, int(np.argmin(losses)) + 1
    return len(losses), int(np.argmin(losses)) + 1
""",
    ],
    "learning_rate": [
        """
def learning_rate(step, steps, peak, rise=0.2):
    t = step / steps
    return peak * t / rise if np.all(t <= rise) else peak * (1 - t) / (1 - rise)
""",
    ],
    "clip": [
        """
def clip(gradients, longest):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    for g in gradients:
        g *= longest / max(norm, longest)
    return gradients
""",
        """
def clip(gradients, longest):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * longest / norm for g in gradients]
""",
    ],
    "class_accuracy": [
        """
def class_accuracy(labels, predicted, classes):
    with np.errstate(all="ignore"):
        right = np.bincount(labels[labels == predicted], minlength=classes)
        return np.nan_to_num(right / np.bincount(labels, minlength=classes))
""",
    ],
}
