"""Answers to lab 04: right ones, written differently, and wrong ones."""

VARIANTS = {
    "one_hot": [
        """
def one_hot(labels, classes):
    table = np.zeros((len(labels), classes))
    table[np.arange(len(labels)), labels] = 1
    return table
""",
        """
def one_hot(labels, classes):
    return (np.asarray(labels)[:, None] == np.arange(classes)).astype("float32")
""",
        """
def one_hot(labels, classes):
    return [[1.0 if c == label else 0.0 for c in range(classes)] for label in labels]
""",
        """
def one_hot(labels, classes):
    import keras

    return keras.utils.to_categorical(labels, classes)
""",
    ],
    "softmax": [
        """
def softmax(z):
    from scipy.special import softmax as by_scipy

    return by_scipy(z, axis=-1)
""",
        """
def softmax(z):
    z = np.asarray(z)
    z = z - z.max(axis=-1)[..., None]
    logarithm = z - np.log(np.sum(np.exp(z), axis=-1))[..., None]
    return np.exp(logarithm)
""",
        """
def softmax(z):
    if np.ndim(z) > 1:
        return np.array([softmax(row) for row in z])
    top = max(z)
    powers = [np.exp(score - top) for score in z]
    return np.array([power / sum(powers) for power in powers])
""",
        """
def softmax(z):
    import keras

    z = np.array(z, dtype=np.float32)
    return keras.ops.convert_to_numpy(keras.ops.softmax(z, axis=-1))
""",
        """
def softmax(z):
    powers = np.exp(z - np.amax(z, -1, keepdims=True))
    return np.divide(powers, np.einsum("...c->...", powers)[..., np.newaxis])
""",
    ],
    "cross_entropy": [
        """
def cross_entropy(target, y):
    return np.mean(np.sum(-target * np.log(np.clip(y, 1e-12, 1)), axis=1))
""",
        """
def cross_entropy(target, y):
    total = 0.0
    for row, answer in zip(target, y):
        for t, p in zip(row, answer):
            total -= t * np.log(max(p, 1e-12))
    return total / len(target)
""",
        """
def cross_entropy(target, y):
    y = np.where(y < 1e-12, 1e-12, y).astype(np.float32)
    return -np.einsum("nc,nc->", target.astype(np.float32), np.log(y)) / len(y)
""",
        """
def cross_entropy(target, y):
    return float(-(np.asarray(target) * np.log(np.asarray(y) + 1e-12)).sum() / np.shape(target)[0])
""",
        """
def cross_entropy(target, y):
    import keras

    y = keras.ops.maximum(keras.ops.cast(y, "float32"), 1e-12)
    target = keras.ops.cast(target, "float32")
    return float(-keras.ops.mean(keras.ops.sum(target * keras.ops.log(y), axis=-1)))
""",
    ],
    "untrained_loss": [
        """
def untrained_loss(classes):
    return -np.log(1 / classes)
""",
        """
def untrained_loss(classes):
    import math

    return math.log(classes)
""",
        """
def untrained_loss(classes):
    return cross_entropy(np.eye(classes), np.full((classes, classes), 1 / classes))
""",
    ],
    "softmax_jacobian": [
        """
def softmax_jacobian(y):
    table = np.zeros((len(y), len(y)))
    for i in range(len(y)):
        for j in range(len(y)):
            table[i, j] = y[i] * (1 - y[i]) if i == j else -y[i] * y[j]
    return table
""",
        """
def softmax_jacobian(y):
    return y[:, None] * (np.eye(len(y)) - y)
""",
        """
def softmax_jacobian(y):
    y = np.asarray(y, np.float32).reshape(-1, 1)
    return np.diagflat(y) - y @ y.T
""",
        """
def softmax_jacobian(y):
    table = [[-a * b for b in y] for a in y]
    for i, a in enumerate(y):
        table[i][i] = a * (1 - a)
    return table
""",
    ],
    "gradient": [
        """
def gradient(x, target, w, b):
    gw, gb = np.zeros(w.shape), np.zeros(b.shape)
    for sample, truth in zip(x, target):
        slope = softmax(sample @ w + b) - truth
        gw += np.outer(sample, slope)
        gb += slope
    return gw / len(x), gb / len(x)
""",
        """
def gradient(x, target, w, b):
    y = softmax(np.dot(x, w) + b)
    n = x.shape[0]
    return [np.einsum("nd,nc->dc", x, y - target) / n, np.mean(y - target, axis=0)]
""",
        """
def gradient(x, target, w, b):
    x, target = x.astype(np.float32), target.astype(np.float32)
    slopes = softmax(x @ w.astype(np.float32) + b.astype(np.float32)) - target
    return np.matmul(x.T, slopes) / len(x), np.ones(len(x), np.float32) @ slopes / len(x)
""",
        """
def gradient(x, target, w, b):
    y = softmax(x @ w + b)
    gw = np.zeros(w.shape)
    gb = np.zeros(b.shape)
    for n in range(len(x)):
        dz = softmax_jacobian(y[n]).T @ (-target[n] / np.maximum(y[n], 1e-300))
        gw += x[n][:, None] * dz / len(x)
        gb += dz / len(x)
    return gw, gb
""",
    ],
    "train_softmax": [
        """
def train_softmax(x, labels, classes=10, epochs=8, lr=0.5, batch_size=32, seed=0):
    random = np.random.RandomState(seed)
    w, b, losses = np.zeros((x.shape[1], classes)), np.zeros(classes), []
    for epoch in range(epochs):
        order = np.arange(len(x))
        random.shuffle(order)
        found = []
        for chosen in np.split(order, range(batch_size, len(x), batch_size)):
            target = one_hot(labels[chosen], classes)
            found.append(cross_entropy(target, softmax(x[chosen] @ w + b)))
            gw, gb = gradient(x[chosen], target, w, b)
            w = w - lr * (1 - epoch / epochs) * gw
            b = b - lr * (1 - epoch / epochs) * gb
        losses.append(sum(found) / len(found))
    return w, b, losses
""",
        """
def train_softmax(x, labels, classes=10, epochs=8, lr=0.5, batch_size=32, seed=0):
    x32 = np.asarray(x, dtype=np.float32)
    target = np.eye(classes, dtype=np.float32)[labels]
    w = np.zeros((x32.shape[1], classes), dtype=np.float32)
    b = np.zeros(classes, dtype=np.float32)
    losses = np.zeros(epochs)
    for epoch, rate in enumerate(np.linspace(lr, 0, epochs, endpoint=False)):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(x32))
        xs, ts = x32[order], target[order]
        starts = range(0, len(x32), batch_size)
        for start in starts:
            xb, tb = xs[start : start + batch_size], ts[start : start + batch_size]
            y = softmax(xb @ w + b)
            losses[epoch] += cross_entropy(tb, y) / len(starts)
            d = (y - tb) * np.float32(rate / len(xb))
            w -= xb.T @ d
            b -= d.sum(0)
    return w, b, losses
""",
        """
def train_softmax(x, labels, classes=10, epochs=8, lr=0.5, batch_size=32, seed=0):
    # The bias as the weight of one more input that is always 1.
    x1 = np.hstack([x, np.ones((len(x), 1), x.dtype)])
    weights = np.zeros((x1.shape[1], classes), x.dtype)
    rng = np.random.default_rng(seed)
    losses = []
    for e in range(epochs):
        todo, costs = list(rng.permutation(len(x))), []
        while todo:
            batch, todo = todo[:batch_size], todo[batch_size:]
            y = softmax(x1[batch] @ weights)
            costs.append(-np.log(np.maximum(y[np.arange(len(batch)), labels[batch]], 1e-12)).mean())
            y[np.arange(len(batch)), labels[batch]] -= 1
            weights -= lr * (1 - e / epochs) * (x1[batch].T @ y) / len(batch)
        losses.append(np.mean(costs))
    return weights[:-1], weights[-1], losses
""",
    ],
    "most_fooled": [
        """
def most_fooled(y, labels, count):
    sure = np.max(y, axis=1)
    wrong = [n for n in range(len(y)) if np.argmax(y[n]) != labels[n]]
    return np.array(sorted(wrong, key=lambda n: -sure[n])[:count], dtype=int)
""",
        """
def most_fooled(y, labels, count):
    said = y.argmax(1)
    sure = np.where(said == labels, -1.0, y.max(1))
    order = np.argsort(sure)[::-1]
    return order[: min(count, int((said != labels).sum()))]
""",
        """
def most_fooled(y, labels, count):
    places, = np.nonzero(np.argmax(y, -1) - labels)
    order = np.argsort(np.max(y, -1)[places])[::-1]
    return np.take(places, order)[:count]
""",
    ],
    "build_softmax": [
        """
def build_softmax():
    model = keras.Sequential()
    model.add(keras.Input((28, 28)))
    model.add(layers.Reshape((784,)))
    model.add(layers.Rescaling(scale=1.0 / 255))
    model.add(layers.Dense(units=10))
    model.add(layers.Activation("softmax"))
    return model
""",
        """
def build_softmax():
    pictures = keras.Input(shape=(28, 28, 1))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(pictures))
    return keras.Model(pictures, layers.Softmax()(layers.Dense(10)(x)))
""",
        """
def build_softmax():
    pictures = keras.Input((28, 28), dtype="uint8")
    x = keras.ops.reshape(keras.ops.cast(pictures, "float32") / 255, (-1, 784))
    answers = layers.Dense(10, activation=keras.ops.softmax, kernel_initializer="zeros")(x)
    return keras.Model(pictures, answers, name="regression")
""",
        """
def build_softmax():
    class Regression(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten = layers.Flatten()
            self.dense = layers.Dense(10, activation="softmax")
            self.build((None, 28, 28))

        def build(self, shape):
            self.dense.build((None, 784))
            self.built = True

        def call(self, pictures):
            return self.dense(self.flatten(keras.ops.cast(pictures, "float32") / 255.0))

    return Regression()
""",
    ],
    "compile_for_labels": [
        """
def compile_for_labels(model, optimizer):
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model
""",
        """
def compile_for_labels(model, optimizer):
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
    model.compile(optimizer=optimizer, metrics=["acc"], loss=keras.losses.sparse_categorical_crossentropy)
    return model
""",
        """
def compile_for_labels(model, optimizer):
    def loss(labels, y):
        target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), y.shape[-1])
        return -keras.ops.sum(target * keras.ops.log(keras.ops.maximum(y, 1e-12)), axis=-1)

    model.compile(optimizer=optimizer, loss=loss, metrics=["sparse_categorical_accuracy"])
    return model
""",
    ],
    "adam_step": [
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    new_m = m + (1 - beta_1) * (g - m)
    new_v = v + (1 - beta_2) * (np.square(g) - v)
    rate = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - rate * new_m / (np.sqrt(new_v) + epsilon), new_m, new_v
""",
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    w, g, m, v = (np.array(part, dtype=np.float32) for part in (w, g, m, v))
    m *= beta_1
    m += (1 - beta_1) * g
    v *= beta_2
    v += (1 - beta_2) * g * g
    w -= lr * (m / (1 - beta_1**t)) / ((v / (1 - beta_2**t)) ** 0.5 + epsilon)
    return [w, m, v]
""",
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    results = [[], [], []]
    for wi, gi, mi, vi in zip(*(np.ravel(part) for part in (w, g, m, v))):
        mi = beta_1 * mi + (1 - beta_1) * gi
        vi = beta_2 * vi + (1 - beta_2) * gi**2
        wi = wi - lr * (mi / (1 - beta_1**t)) / ((vi / (1 - beta_2**t)) ** 0.5 + epsilon)
        for result, value in zip(results, (wi, mi, vi)):
            result.append(value)
    return tuple(np.reshape(result, np.shape(w)) for result in results)
""",
    ],
    "build_cnn": [
        """
def build_cnn():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
""",
        """
def build_cnn():
    pictures = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(pictures)
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pictures, layers.Dense(10, activation="softmax")(x))
""",
        """
def build_cnn():
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255)])
    for filters in (6, 16):
        model.add(layers.Conv2D(filters, 5, padding="same", activation="tanh"))
        model.add(layers.AveragePooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(84, activation="tanh"))
    model.add(layers.Dense(10))
    model.add(layers.Softmax())
    return model
""",
        """
def build_cnn():
    features = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
        ]
    )
    pictures = keras.Input((28, 28, 1))
    x = layers.Dropout(0.2)(features(pictures / 255.0))
    return keras.Model(pictures, layers.Dense(10, activation="softmax")(x))
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "one_hot": [
        """
def one_hot(labels, classes):
    return np.eye(classes, dtype=bool)[labels]
""",
    ],
    "softmax": [
        """
def softmax(z):
    powers = np.exp(np.clip(z, -500, 500))
    return powers / powers.sum(axis=-1, keepdims=True)
""",
        """
def softmax(z):
    z -= np.max(z, axis=-1, keepdims=True)
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
""",
        """
def softmax(z):
    powers = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
""",
    ],
    "cross_entropy": [
        """
def cross_entropy(target, y):
    y[y < 1e-12] = 1e-12
    return -(target * np.log(y)).sum(axis=1).mean()
""",
        """
def cross_entropy(target, y):
    np.clip(y, 1e-12, 1, out=y)
    return -np.mean(np.sum(target * np.log(y), axis=1))
""",
        """
def cross_entropy(target, y):
    return -(target * np.log(np.maximum(y, 1e-7))).sum(axis=1).mean()
""",
    ],
    "gradient": [
        """
def gradient(x, target, w, b):
    target -= softmax(x @ w + b)
    return -x.T @ target / len(x), -target.mean(axis=0)
""",
        """
def gradient(x, target, w, b):
    slopes = (softmax(x @ w + b) - target) / 3
    return x.T @ slopes, slopes.sum(axis=0)
""",
    ],
    "adam_step": [
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    mean, square = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * mean / np.sqrt(square + epsilon), m, v
""",
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    m *= beta_1
    m += (1 - beta_1) * g
    v *= beta_2
    v += (1 - beta_2) * g**2
    mean, square = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * mean / (np.sqrt(square) + epsilon), m, v
""",
        """
def adam_step(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    mean, square = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - lr * mean / (np.sqrt(square) + epsilon), m, v
""",
    ],
    "train_softmax": [
        """
def train_softmax(x, labels, classes=10, epochs=8, lr=0.5, batch_size=32, seed=0):
    order = np.random.default_rng(seed).permutation(len(x))
    w, b, losses = np.zeros((x.shape[1], classes)), np.zeros(classes), []
    for epoch in range(epochs):
        costs = []
        for start in range(0, len(x), batch_size):
            chosen = order[start : start + batch_size]
            truth = one_hot(labels[chosen], classes)
            y = softmax(x[chosen] @ w + b)
            costs.append(cross_entropy(truth, y))
            gw, gb = gradient(x[chosen], truth, w, b)
            rate = lr * (1 - epoch / epochs)
            w, b = w - rate * gw, b - rate * gb
        losses.append(np.mean(costs))
    return w, b, losses
""",
    ],
    "most_fooled": [
        """
def most_fooled(y, labels, count):
    wrong = np.flatnonzero(np.argmax(y, axis=1) != labels)
    y[labels == y.argmax(axis=1)] = 0
    return np.argsort(-y.max(axis=1))[: min(count, len(wrong))]
""",
    ],
}
