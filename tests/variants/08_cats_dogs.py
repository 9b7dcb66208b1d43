"""Lab 08: right answers that are written differently, and wrong ones."""

VARIANTS = {
    "from_rows": [
        """
def from_rows(rows):
    labels = np.array([int(row[0]) for row in rows], dtype=np.int64)
    pictures = np.stack([row[1:].reshape(32, 32, 3) for row in rows])
    return labels, pictures

def to_row(picture, label):
    row = np.empty(3073, dtype=np.uint8)
    row[0] = label
    row[1:] = picture.reshape(-1)
    return row
""",
        """
def from_rows(rows):
    labels, numbers = np.split(rows, [1], axis=1)
    return labels.ravel().astype(int), numbers.reshape((len(rows), 32, 32, 3)).copy()

def to_row(picture, label):
    return np.concatenate([np.array([label], "uint8"), picture.flatten()])
""",
        """
def from_rows(rows):
    labels = np.zeros(len(rows), "int64")
    pictures = np.zeros((len(rows), 32, 32, 3), "uint8")
    for n, row in enumerate(rows):
        labels[n], pictures[n] = row[0], np.reshape(row[1:], (32, 32, 3))
    return labels, pictures

def to_row(picture, label):
    return np.hstack([label, picture.ravel()]).astype("uint8")
""",
    ],
    "read_table": [
        """
def read_table(path, size):
    with open(path) as file:
        rows = []
        number = 0
        for line in file:
            number += 1
            words = line.strip().split(";")
            if len(words) != 3073:
                raise ValueError(f"Line {number}: {len(words)} numbers.")
            for word in words:
                if not word.isdigit() or int(word) > 255:
                    raise ValueError(f"Line {number}: {word!r} is no byte.")
            rows.append([int(word) for word in words])
            if len(rows) == size:
                yield np.array(rows, dtype=np.uint8)
                rows = []
        if rows:
            yield np.array(rows, dtype=np.uint8)

def write_table(path, rows):
    with open(path, "w") as file:
        for row in rows:
            print(*row, sep=";", file=file)
""",
        """
def read_table(path, size):
    from itertools import islice

    def rows():
        with Path(path).open() as file:
            for number, line in enumerate(file, 1):
                try:
                    row = [int(word) for word in line.split(";")]
                    yield np.frombuffer(bytes(row), np.uint8).reshape(3073)
                except ValueError as error:
                    raise ValueError(f"damaged: line {number} ({error})") from error

    left = rows()
    while block := list(islice(left, size)):
        yield np.array(block)

def write_table(path, rows):
    lines = (";".join(str(int(value)) for value in row) for row in rows)
    with Path(path).open("w") as file:
        file.writelines(line + "\\n" for line in lines)
""",
        """
def read_table(path, size):
    block, filled = np.empty((size, 3073), np.uint8), 0
    with open(path, "rb") as file:
        for number, line in enumerate(file):
            try:
                values = np.array(line.split(b";")).astype(np.int64)
                assert values.shape == (3073,)
                assert values.min() >= 0 and values.max() < 256
            except (ValueError, AssertionError):
                raise ValueError("line no. %d is damaged" % (number + 1)) from None
            block[filled] = values
            filled += 1
            if filled == size:
                yield block.copy()
                filled = 0
    if filled:
        yield block[:filled].copy()
""",
    ],
    "split": [
        """
def split(labels, share, rng):
    order = rng.permutation(len(labels))
    wanted = {kind: round(share * np.sum(labels == kind)) for kind in set(labels.tolist())}
    train, test = [], []
    for position in order.tolist():
        kind = int(labels[position])
        if wanted[kind] > 0:
            wanted[kind] -= 1
            test.append(position)
        else:
            train.append(position)
    return np.array(train), np.array(test)

def parts(positions, count=5):
    short, longer = divmod(len(positions), count)
    ends = np.cumsum([0] + [short + (k < longer) for k in range(count)])
    return [positions[a:b] for a, b in zip(ends[:-1], ends[1:])]
""",
        """
def split(labels, share, rng):
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        where = np.where(labels == label)[0]
        chosen[rng.choice(where, int(np.rint(share * len(where))), replace=False)] = True
    train, test = np.where(~chosen)[0], np.where(chosen)[0]
    rng.shuffle(train)
    rng.shuffle(test)
    return train, test

def parts(positions, count=5):
    return [np.asarray(part) for part in np.array_split(np.array(positions), count)]
""",
        """
def split(labels, share, rng):
    keys = rng.random(len(labels))
    test = np.concatenate([
        [n for n in np.argsort(keys) if labels[n] == label][: round(share * np.count_nonzero(labels == label))]
        for label in np.unique(labels)
    ]).astype(int)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return rng.permutation(train), rng.permutation(test)

def parts(positions, count=5):
    found, left = [], list(positions)
    for k in range(count, 0, -1):
        size = -(-len(left) // k)
        found.append(np.array(left[:size]))
        left = left[size:]
    return found
""",
    ],
    "distort": [
        """
def distort(images, rng):
    made = []
    for image in images:
        image = image.astype(np.float32)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        mean = image.mean(axis=(0, 1))
        image = (image - mean) * rng.uniform(0.2, 1.8) + mean + rng.uniform(-63, 63)
        made.append(image.astype(np.float32))
    return np.stack(made)
""",
        """
def distort(images, rng):
    n = len(images)
    result = np.array(images, dtype="float32")
    result += rng.uniform(-63, 63, n).astype("float32")[:, None, None, None]
    middle = result.mean((1, 2), keepdims=True)
    result -= middle
    result *= rng.uniform(0.2, 1.8, n).astype("float32")[:, None, None, None]
    result += middle
    sides = rng.integers(0, 2, n).astype(bool)
    return np.where(sides[:, None, None, None], np.flip(result, 2), result)
""",
        """
def distort(images, rng):
    import tensorflow as tf

    pixels = tf.constant(images, tf.float32)
    n = len(images)
    mean = tf.reduce_mean(pixels, (1, 2), keepdims=True)
    stretch = tf.constant(rng.uniform(0.2, 1.8, (n, 1, 1, 1)), tf.float32)
    light = tf.constant(rng.uniform(-63, 63, (n, 1, 1, 1)), tf.float32)
    pixels = (pixels - mean) * stretch + mean + light
    turned = tf.constant(rng.permutation(n) % 2 == 0)[:, None, None, None]
    return tf.where(turned, pixels[:, :, ::-1], pixels).numpy()
""",
    ],
    "standardise_each": [
        """
def standardise_each(images):
    made = np.empty(images.shape, np.float32)
    for n, image in enumerate(images):
        deviation = max(np.std(image, dtype=float), image.size**-0.5)
        made[n] = (image - np.mean(image, dtype=float)) / deviation
    return made
""",
        """
def standardise_each(images):
    flat = np.reshape(images, (len(images), -1)).astype("float64")
    flat = flat - flat.mean(axis=1)[:, None]
    deviation = np.sqrt(np.mean(flat**2, axis=1))[:, None]
    flat = flat / np.clip(deviation, 1 / np.sqrt(flat.shape[1]), None)
    return flat.reshape(images.shape).astype("float32")
""",
        """
def standardise_each(images):
    import tensorflow as tf

    pixels = tf.cast(images, tf.float32)
    return tf.image.per_image_standardization(pixels).numpy()
""",
    ],
    "build_source_cnn": [
        """
def build_source_cnn():
    inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(64, (5, 5), padding="same")(inputs)
    x = layers.ReLU()(x)
    x = layers.MaxPool2D((3, 3), (2, 2), "same")(x)
    x = ResponseNormalisation()(x)
    x = layers.ReLU()(layers.Conv2D(64, (5, 5), padding="same")(x))
    x = layers.MaxPool2D((3, 3), (2, 2), "same")(ResponseNormalisation()(x))
    x = layers.Flatten()(x)
    x = layers.Dense(384, activation="relu", name="local3")(x)
    x = layers.Dense(192, activation="relu", name="local4")(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(2)(x)))
""",
        """
def build_source_cnn():
    model = keras.Sequential([keras.Input((24, 24, 3))])
    for order in ("pn", "np"):
        model.add(layers.Conv2D(64, 5, strides=1, padding="same", activation=keras.ops.relu))
        for part in order:
            if part == "p":
                model.add(layers.MaxPooling2D(pool_size=3, strides=2, padding="same"))
            else:
                model.add(ResponseNormalisation())
    model.add(layers.Reshape((6 * 6 * 64,)))
    for number, units in ((3, 384), (4, 192)):
        model.add(layers.Dense(units, activation="relu", name=f"local{number}"))
    model.add(layers.Dense(2, activation=keras.activations.softmax))
    return model
""",
        """
def build_source_cnn():
    norm = lambda: layers.Lambda(
        lambda maps: tf.nn.lrn(maps, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75)
    )
    return keras.Sequential([
        layers.InputLayer(shape=(24, 24, 3)),
        layers.Conv2D(64, 5, 1, "same", activation="relu"),
        layers.MaxPooling2D(3, 2, "same"),
        norm(),
        layers.Conv2D(64, 5, 1, "same", activation="relu"),
        norm(),
        layers.MaxPooling2D(3, 2, "same"),
        layers.Flatten(),
        layers.Dense(384, "relu", name="local3"),
        layers.Dense(192, "relu", name="local4"),
        layers.Dense(2, "softmax"),
    ])
""",
    ],
    "staircase": [
        """
def staircase(step, rate, factor, every):
    if np.ndim(step):
        return np.array([staircase(one, rate, factor, every) for one in step])
    for _ in range(int(step) // every):
        rate = rate * factor
    return rate

def total_loss(cross_entropy, weights, lam):
    total = cross_entropy
    for array in weights:
        total += 0.5 * lam * (array**2).sum()
    return total
""",
        """
def staircase(step, rate, factor, every):
    return rate * np.power(float(factor), np.floor(np.divide(step, every)))

def total_loss(cross_entropy, weights, lam):
    return cross_entropy + lam * sum(np.linalg.norm(array) ** 2 for array in weights) / 2
""",
        """
def staircase(step, rate, factor, every):
    stairs = (np.array(step) - np.mod(step, every)) / every
    return rate * np.exp(stairs * np.log(factor))

def total_loss(cross_entropy, weights, lam):
    flat = np.concatenate([np.ravel(array) for array in weights] + [[0.0]])
    return cross_entropy + lam / 2 * (flat @ flat)
""",
    ],
    "smoothed": [
        """
def smoothed(values, decay):
    found = [float(values[0])]
    for value in values[1:]:
        found.append(found[-1] * decay + value * (1 - decay))
    return np.array(found)
""",
        """
def smoothed(values, decay):
    from itertools import accumulate

    step = lambda old, new: old + (1 - decay) * (new - old)
    return np.array(list(accumulate(map(float, values), step)))
""",
        """
def smoothed(values, decay):
    values = np.asarray(values, dtype="float64")
    t = np.arange(len(values))
    share = np.tril((1 - decay) * float(decay) ** np.maximum(t[:, None] - t, 0))
    share[:, 0] = float(decay) ** t
    return share @ values
""",
    ],
    "precision": [
        """
def precision(labels, predicted, positive=1):
    right = sum(1 for l, p in zip(labels, predicted) if l == p == positive)
    called = sum(1 for p in predicted if p == positive)
    return right / called if called else 0.0

def chance_loss(classes):
    import math
    return math.log(classes)

def constant_accuracy(labels):
    return max(np.mean(labels == label) for label in set(labels.tolist()))
""",
        """
def precision(labels, predicted, positive=1):
    called = np.sum(predicted == positive)
    return np.sum((labels == positive) & (predicted == positive)) / max(called, 1)

def chance_loss(classes):
    return -np.log(1 / classes)

def constant_accuracy(labels):
    return np.unique(labels, return_counts=True)[1].max() / np.size(labels)
""",
        """
def precision(labels, predicted, positive=1):
    from sklearn.metrics import precision_score
    return precision_score(labels == positive, predicted == positive, zero_division=0)

def chance_loss(classes):
    shares = np.full(classes, 1 / classes)
    return -np.sum(shares * np.log(shares))

def constant_accuracy(labels):
    from collections import Counter
    return Counter(labels.tolist()).most_common(1)[0][1] / len(labels)
""",
    ],
    "features": [
        """
def features(model, layer, images):
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    found = keras.ops.convert_to_numpy(part(images, training=False))
    return found.reshape(found.shape[0], -1)
""",
        """
def features(model, layer, images):
    names = [one.name for one in model.layers]
    part = keras.Model(model.inputs[0], model.layers[names.index(layer)].output)
    return np.stack([row.ravel() for row in part.predict(images, verbose=0)])
""",
        """
def features(model, layer, images):
    rows = []
    for start in range(0, len(images), 16):
        value = keras.ops.convert_to_tensor(images[start : start + 16])
        for one in model.layers:
            value = one(value, training=False) if "Drop" in type(one).__name__ or "Norm" in type(one).__name__ else one(value)
            if one.name == layer:
                break
        rows.append(np.array(value).reshape(len(value), -1))
    return np.concatenate(rows)
""",
    ],
    "freeze": [
        """
def freeze(model, upto):
    names = [layer.name for layer in model.layers]
    last = names.index(upto)
    for number, layer in enumerate(model.layers):
        layer.trainable = number > last
    return model
""",
        """
def freeze(model, upto):
    kept = True
    for layer in list(model.layers):
        setattr(layer, "trainable", not kept)
        kept = kept and layer.name != upto
    return model
""",
        """
def freeze(model, upto):
    for layer in model.layers:
        layer.trainable = True
    last = model.layers.index(model.get_layer(upto))
    for layer in reversed(model.layers[: last + 1]):
        layer.trainable = False
    return model
""",
    ],
    "threshold_for": [
        """
def threshold_for(labels, scores, precision):
    for threshold in sorted(set(scores.tolist())):
        called = [label for label, score in zip(labels, scores) if score >= threshold]
        if sum(called) / len(called) >= precision:
            return threshold
""",
        """
def threshold_for(labels, scores, precision):
    order = np.argsort(-scores, kind="stable")
    sorted_scores, right = scores[order], np.cumsum(labels[order])
    last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    reached = right / np.arange(1, len(scores) + 1)
    fitting = sorted_scores[last & (reached >= precision)]
    return fitting[-1] if len(fitting) else None
""",
        """
def threshold_for(labels, scores, precision):
    from sklearn.metrics import precision_recall_curve

    found, _, thresholds = precision_recall_curve(labels, scores)
    fitting = thresholds[found[: len(thresholds)] >= precision]
    return float(fitting.min()) if len(fitting) else None
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "to_row": [
        """
def to_row(picture, label):
    return np.append(label, picture.ravel())
""",
    ],
    "write_table": [
        """
def write_table(path, rows):
    with open(path, "w") as file:
        for row in rows:
            file.write(",".join(map(str, row.tolist())) + "\\n")
""",
        """
def write_table(path, rows):
    with open(path, "w") as file:
        for n in range(len(rows)):
            file.write(";".join(map(str, rows[n].tolist())) + "\\n")
""",
        """
def write_table(path, rows):
    lines = (";".join(map(str, row.tolist())) for row in rows)
    Path(path).write_text("".join(line + "\\n" for line in lines))
""",
    ],
    "read_table": [
        """
def read_table(path, size):
    table = np.loadtxt(path, delimiter=";", dtype=np.uint8)
    for start in range(0, len(table), size):
        yield table[start : start + size]
""",
        """
def read_table(path, size):
    block = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        words = line.split(";")
        if len(words) != 3073 or not all(w.isdigit() and int(w) < 256 for w in words):
            raise ValueError(f"line {number} is damaged")
        block.append(np.array(words, dtype=np.uint8))
        if len(block) == size:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)
""",
    ],
    "parts": [
        """
def parts(positions, count=5):
    size = len(positions) // count
    return [positions[k * size : (k + 1) * size] for k in range(count)]
""",
        """
def parts(positions, count=5):
    return [positions[k::count] for k in range(count)]
""",
    ],
    "split": [
        """
def split(labels, share, rng):
    order = rng.permutation(len(labels))
    cut = round(share * len(labels))
    return order[cut:], order[:cut]
""",
    ],
    "distort": [
        """
def distort(images, rng):
    n = len(images)
    pixels = images.astype("float32")
    mirrored = rng.random(n) < 0.5
    pixels[mirrored] = pixels[mirrored, :, ::-1]
    mean = pixels.mean(axis=(0, 1, 2), keepdims=True)
    contrast = rng.uniform(0.2, 1.8, (n, 1, 1, 1))
    return (mean + contrast * (pixels - mean) + rng.uniform(-63, 63, (n, 1, 1, 1))).astype("float32")
""",
    ],
    "standardise_each": [
        """
def standardise_each(images):
    pixels = images.astype("float32")
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    return (pixels - mean) / np.maximum(pixels.std(axis=(1, 2, 3), keepdims=True), 1e-7)
""",
        """
def standardise_each(images):
    pixels = images.astype("float32")
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
    return (pixels - mean) / np.maximum(deviation, 1 / np.sqrt(pixels.shape[1]))
""",
    ],
    "build_source_cnn": [
        """
def build_source_cnn():
    return keras.Sequential([
        layers.Input((24, 24, 3)),
        layers.Conv2D(64, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(3, 2, padding="same"),
        layers.BatchNormalization(),
        layers.Conv2D(64, 5, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(3, 2, padding="same"),
        layers.Flatten(),
        layers.Dense(384, activation="relu", name="local3"),
        layers.Dense(192, activation="relu", name="local4"),
        layers.Dense(2, activation="softmax"),
    ])
""",
    ],
    "total_loss": [
        """
def total_loss(cross_entropy, weights, lam):
    for array in weights:
        array **= 2
    return cross_entropy + lam / 2 * sum(np.sum(array) for array in weights)
""",
    ],
    "smoothed": [
        """
def smoothed(values, decay):
    window = max(1, round(1 / (1 - decay)))
    return np.array([np.mean(values[max(0, t - window + 1) : t + 1]) for t in range(len(values))])
""",
        """
def smoothed(values, decay):
    found = [0.0]
    for value in values:
        found.append(decay * found[-1] + (1 - decay) * value)
    return np.array(found[1:])
""",
    ],
    "features": [
        """
def features(model, layer, images):
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    return part.predict(images[:32], verbose=0).reshape(min(32, len(images)), -1)
""",
    ],
    "freeze": [
        """
def freeze(model, upto):
    for layer in model.layers:
        layer.trainable = False
        if layer.name == upto:
            return model
    return model
""",
        """
def freeze(model, upto):
    copied = keras.models.clone_model(model)
    names = [layer.name for layer in copied.layers]
    for number, layer in enumerate(copied.layers):
        layer.trainable = number > names.index(upto)
    return copied
""",
    ],
    "threshold_for": [
        """
def threshold_for(labels, scores, precision):
    for threshold in np.linspace(0, 1, 101):
        called = scores >= threshold
        if called.any() and np.mean(labels[called]) >= precision:
            return float(threshold)
    return None
""",
        """
def threshold_for(labels, scores, precision):
    order = np.argsort(scores)
    for place in range(len(order)):
        if np.mean(labels[order[place:]]) > precision:
            return float(scores[order[place]])
    return None
""",
    ],
}
