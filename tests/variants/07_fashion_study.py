"""Correct answers to lab 07, written in other ways than the solution's."""

VARIANTS = {
    "log_loss": [
        """
def log_loss(labels, probabilities):
    total = 0.0
    for label, row in zip(labels, probabilities):
        total -= np.log(max(row[label], 1e-15))
    return total / len(labels)
""",
        """
def log_loss(labels, probabilities):
    hot = np.eye(np.shape(probabilities)[1])[labels]
    return -(hot * np.log(np.clip(probabilities, 1e-15, None))).sum(axis=1).mean()
""",
        """
def log_loss(labels, probabilities):
    true = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return np.mean(-np.log(np.clip(true, 1e-15, 1)))
""",
    ],
    "macro_auc": [
        """
def roc_auc(positive, scores):
    from sklearn.metrics import roc_auc_score

    if len(set(positive.tolist())) < 2:
        raise ValueError("one class is missing")
    return roc_auc_score(positive, scores)


def macro_auc(labels, probabilities):
    from sklearn.metrics import roc_auc_score

    hot = np.eye(probabilities.shape[1], dtype=int)[labels]
    return roc_auc_score(hot, probabilities, average="macro")
""",
        """
def roc_auc(positive, scores):
    from scipy.stats import rankdata

    p = positive.sum()
    n = len(positive) - p
    if p == 0 or n == 0:
        raise ValueError
    return (rankdata(scores)[positive].sum() - p * (p + 1) / 2) / (p * n)


def macro_auc(labels, probabilities):
    classes = probabilities.shape[1]
    return sum(roc_auc(labels == c, probabilities[:, c]) for c in range(classes)) / classes
""",
        """
def roc_auc(positive, scores):
    ups = [s for s, p in zip(scores, positive) if p]
    downs = [s for s, p in zip(scores, positive) if not p]
    if not ups or not downs:
        raise ValueError("needs both")
    won = sum(1.0 if u > d else 0.5 if u == d else 0.0 for u in ups for d in downs)
    return won / (len(ups) * len(downs))


def macro_auc(labels, probabilities):
    found = []
    for c in np.unique(labels):
        found.append(roc_auc(np.array([label == c for label in labels]), probabilities[:, c]))
    return np.mean(found)
""",
    ],
    "macro_f1": [
        """
def macro_f1(labels, predicted, classes):
    from sklearn.metrics import f1_score

    return f1_score(labels, predicted, labels=range(classes), average="macro", zero_division=0)
""",
        """
def macro_f1(labels, predicted, classes):
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (labels, predicted), 1)
    f1 = 2 * np.diag(matrix) / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)
    return f1.mean()
""",
        """
def macro_f1(labels, predicted, classes):
    total = 0.0
    for c in range(classes):
        hits = sum(1 for t, p in zip(labels, predicted) if t == p == c)
        if hits:
            recall = hits / np.count_nonzero(labels == c)
            precision = hits / np.count_nonzero(predicted == c)
            total += 2 * precision * recall / (precision + recall)
    return total / classes
""",
    ],
    "calibration_error": [
        """
def calibration_error(labels, probabilities, bins=10):
    sure, said = np.sort(probabilities, axis=1)[:, -1], np.argmax(probabilities, 1)
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    gaps = np.bincount(np.digitize(sure, edges), (said == labels) - sure, bins)
    return np.abs(gaps).sum() / len(labels)
""",
        """
def calibration_error(labels, probabilities, bins=10):
    sure = np.max(probabilities, axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    error = 0.0
    for low in range(bins):
        inside = (sure >= low / bins) & ((sure < (low + 1) / bins) | (low == bins - 1))
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return error
""",
        """
def calibration_error(labels, probabilities, bins=10):
    sure = probabilities.max(1)
    right = (probabilities.argmax(1) == labels).astype(float)
    totals, _ = np.histogram(sure, bins, (0, 1), weights=right - sure)
    return np.abs(totals).sum() / len(labels)
""",
    ],
    "wilson_interval": [
        """
def wilson_interval(right, n, z=1.96):
    from scipy.stats import binomtest, norm

    ends = binomtest(right, n).proportion_ci(2 * norm.cdf(z) - 1, method="wilson")
    return ends.low, ends.high
""",
        """
def wilson_interval(right, n, z=1.96):
    a, b, c = n + z * z, -(2 * right + z * z), right * right / n
    root = np.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)
""",
        """
def wilson_interval(right, n, z=1.96):
    middle = (right + z**2 / 2) / (n + z**2)
    reach = z / (n + z**2) * (right * (n - right) / n + z**2 / 4) ** 0.5
    return middle - reach, middle + reach
""",
    ],
    "mcnemar": [
        """
def mcnemar(first_right, second_right):
    from statsmodels.stats.contingency_tables import mcnemar as exact

    a, b = first_right.astype(bool), second_right.astype(bool)
    return exact([[0, sum(a & ~b)], [sum(~a & b), 0]], exact=True).pvalue
""",
        """
def mcnemar(first_right, second_right):
    from math import comb

    differ = first_right != second_right
    n = int(differ.sum())
    fewer = min(int(first_right[differ].sum()), int(second_right[differ].sum()))
    return min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n)
""",
        """
def mcnemar(first_right, second_right):
    from scipy.stats import binom

    a = np.count_nonzero(first_right > second_right)
    b = np.count_nonzero(first_right < second_right)
    return min(1.0, 2 * float(binom.cdf(min(a, b), a + b, 0.5)))
""",
    ],
    "vote": [
        """
def shared_errors(right):
    return np.mean(np.sum(right, axis=0) == 0)


def vote(probabilities):
    return np.argmax(sum(probabilities), axis=-1)
""",
        """
def shared_errors(right):
    wrong = np.ones(len(right[0]), dtype=bool)
    for row in right:
        wrong &= ~row
    return wrong.sum() / wrong.size


def vote(probabilities):
    return np.array([np.argmax(row) for row in np.einsum("mnc->nc", probabilities)])
""",
        """
def shared_errors(right):
    return 1 - np.max(right, axis=0).mean()


def vote(probabilities):
    return np.average(probabilities, axis=0).argmax(-1)
""",
    ],
    "mean_interval": [
        """
def mean_interval(values, level=0.95):
    return stats.t.interval(level, len(values) - 1, np.mean(values), stats.sem(values))
""",
        """
def mean_interval(values, level=0.95):
    found = stats.ttest_1samp(values, 0).confidence_interval(level)
    return found.low, found.high
""",
        """
def mean_interval(values, level=0.95):
    n, middle = len(values), sum(values) / len(values)
    variance = sum((v - middle) ** 2 for v in values) / (n - 1)
    t = -stats.t.ppf((1 - level) / 2, df=n - 1)
    return middle - t * (variance / n) ** 0.5, middle + t * (variance / n) ** 0.5
""",
    ],
    "build_three_conv": [
        """
def build_one_conv():
    model = keras.Sequential(name="mine")
    model.add(layers.Input((28, 28, 1)))
    model.add(layers.Rescaling(1 / 255))
    model.add(layers.Conv2D(32, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    return model


def build_three_conv():
    first = convolution(32) + [layers.MaxPooling2D()]
    second = convolution(64) + [layers.MaxPooling2D()]
    return for_clothes("three", first + second + convolution(128))
""",
        """
def build_one_conv():
    return for_clothes("one", convolution(32) + [layers.MaxPool2D(2)])


def build_three_conv():
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2, 2)(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2, 2)(x)
    x = layers.Conv2D(128, 3, activation="relu")(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
""",
        """
def build_one_conv():
    stack = convolution(32)
    stack.append(layers.MaxPooling2D(pool_size=2, strides=2))
    return for_clothes("one_conv", stack)


def build_three_conv():
    stack = []
    for number, filters in enumerate([32, 64, 128]):
        if number:
            stack.append(layers.MaxPooling2D(2))
        stack.extend(convolution(filters))
    return for_clothes("three_conv", stack)
""",
    ],
    "build_vgg": [
        """
def build_vgg(batch_norm=False):
    stack = []
    for filters in (32, 32, None, 64, 64, None, 128, 128, None, 128, 128, 128, None):
        if filters:
            stack += convolution(filters, batch_norm, "same")
        else:
            stack += [layers.MaxPooling2D(2)]
    return for_clothes("vgg", stack)
""",
        """
def build_vgg(batch_norm=False):
    def block(filters, count):
        inside = [one for _ in range(count) for one in convolution(filters, batch_norm, padding="same")]
        return inside + [layers.MaxPooling2D(2)]

    return for_clothes("vgg", block(32, 2) + block(64, 2) + block(128, 2) + block(128, 3))
""",
        """
def build_vgg(batch_norm=False):
    stack = []
    for block, filters in enumerate([32, 64, 128, 128]):
        for _ in range(3 if block == 3 else 2):
            stack.append(layers.Conv2D(filters, 3, padding="same", use_bias=not batch_norm))
            if batch_norm:
                stack.append(layers.BatchNormalization(momentum=0.9))
            stack.append(layers.Activation("relu"))
        stack.append(layers.MaxPooling2D(2))
    return for_clothes("vgg", stack)
""",
    ],
    "sample_affines": [
        """
def affine(rotation, shift, shear, zoom):
    r, s = np.radians(rotation), np.radians(shear)
    linear = np.array([[np.cos(r), -np.sin(r)], [np.sin(r), np.cos(r)]])
    linear = zoom * linear @ [[1, np.tan(s)], [0, 1]]
    return np.vstack([np.column_stack([linear, shift]), [0, 0, 1]])


def sample_affines(rng, n):
    found = np.zeros((n, 3, 3))
    for place, row in enumerate(rng.uniform(-1, 1, (n, 5)) * [8, 0.08, 0.08, 0.3, 0.08]):
        found[place] = affine(row[0], row[1:3], row[3], 1 + row[4])
    return found
""",
        """
def affine(rotation, shift, shear, zoom):
    r, k = rotation / 180 * np.pi, np.tan(shear / 180 * np.pi)
    c, s = np.cos(r), np.sin(r)
    return np.array(
        [
            [zoom * c, zoom * (c * k - s), shift[0]],
            [zoom * s, zoom * (s * k + c), shift[1]],
            [0, 0, 1],
        ]
    )


def sample_affines(rng, n):
    turn, right, down, slant, zoom = rng.uniform(-1, 1, (n, 5)).T
    matrices = np.zeros((n, 3, 3))
    for i in range(n):
        shift = right[i] * 0.08, down[i] * 0.08
        matrices[i] = affine(turn[i] * 8, shift, slant[i] * 0.3, 1 + zoom[i] * 0.08)
    return matrices
""",
        """
def affine(rotation, shift, shear, zoom):
    matrix = np.eye(3)
    matrix[:2, :2] *= zoom
    slant = np.eye(3)
    slant[0, 1] = np.tan(np.deg2rad(shear))
    turn = np.eye(3)
    angle = np.deg2rad(rotation)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    move = np.eye(3)
    move[:2, 2] = shift
    return np.linalg.multi_dot([move, turn, slant, matrix])


def sample_affines(rng, n):
    low, high = np.array([-8, -0.08, -0.08, -0.3, 0.92]), np.array([8, 0.08, 0.08, 0.3, 1.08])
    middle, reach = (low + high) / 2, (high - low) / 2
    drawn = middle + reach * rng.uniform(-1, 1, (n, 5))
    if n == 0:
        return np.empty((0, 3, 3))
    return np.stack([affine(a, (b, c), e, f) for a, b, c, e, f in drawn])
""",
    ],
    "random_search": [
        """
def grid(space):
    found = [{}]
    for name, values in space.items():
        found = [{**start, name: value} for start in found for value in values]
    return found


def random_search(space, n, rng):
    trials = []
    for _ in range(n):
        trial = {}
        for name, values in space.items():
            if isinstance(values, list):
                trial[name] = values[rng.integers(len(values))]
            else:
                low, high = values
                trial[name] = 10 ** rng.uniform(np.log10(low), np.log10(high))
        trials.append(trial)
    return trials


def distinct(trials, name):
    return np.unique([trial[name] for trial in trials]).size
""",
        """
def grid(space):
    import itertools

    names = list(space)
    return [{name: v for name, v in zip(names, row)} for row in itertools.product(*map(space.get, names))]


def random_search(space, n, rng):
    def one(values):
        if type(values) is tuple:
            return values[0] * (values[1] / values[0]) ** rng.uniform()
        return values[int(rng.integers(0, len(values)))]

    return [dict((name, one(space[name])) for name in space) for _ in range(n)]


def distinct(trials, name):
    seen = []
    for trial in trials:
        if trial[name] not in seen:
            seen.append(trial[name])
    return len(seen)
""",
        """
def grid(space):
    if not space:
        return [{}]
    name, *rest = space
    others = grid({other: space[other] for other in rest})
    return [{name: value, **other} for value in space[name] for other in others]


def random_search(space, n, rng):
    trials = [{} for _ in range(n)]
    for trial in trials:
        for name in space:
            if isinstance(space[name], tuple):
                low, high = np.log(space[name])
                trial[name] = np.exp(low + (high - low) * rng.random())
            else:
                trial[name] = rng.choice(space[name])
    return trials


def distinct(trials, name):
    return len(dict.fromkeys(trial[name] for trial in trials))
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "build_three_conv": [
        """
def build_three_conv():
    return for_clothes("three_conv", [*convolution(32), *convolution(64), layers.MaxPooling2D(4), *convolution(128)])
""",
        """
def build_three_conv():
    stack = [*convolution(32), layers.MaxPooling2D(2), *convolution(64), layers.MaxPooling2D(2)]
    return for_clothes("three_conv", stack)
""",
    ],
    "build_vgg": [
        """
def build_vgg(batch_norm=False):
    stack = []
    for filters, count in ((32, 2), (64, 2), (128, 2), (128, 3)):
        for _ in range(count):
            stack += convolution(filters, False, padding="same")
        stack += [layers.MaxPooling2D(2)]
    return for_clothes("vgg", stack)
""",
        """
def build_vgg(batch_norm=False):
    stack = []
    for filters in (32, 64, 128):
        for _ in range(3):
            stack += convolution(filters, batch_norm, padding="same")
        stack += [layers.MaxPooling2D(2)]
    return for_clothes("vgg", stack + [layers.MaxPooling2D(2)])
""",
    ],
    "log_loss": [
        """
def log_loss(labels, probabilities):
    return -np.mean(np.log2(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-15)))
""",
        """
def log_loss(labels, probabilities):
    hot = np.eye(probabilities.shape[1])[labels]
    return -np.sum(hot * np.log(np.maximum(probabilities, 1e-15)))
""",
    ],
    "macro_auc": [
        """
def macro_auc(labels, probabilities):
    from sklearn.metrics import roc_auc_score

    hot = np.eye(probabilities.shape[1], dtype=int)[labels]
    return roc_auc_score(hot, probabilities, average="micro")
""",
        """
def macro_auc(labels, probabilities):
    from sklearn.metrics import roc_auc_score

    hot = np.eye(probabilities.shape[1], dtype=int)[labels]
    return roc_auc_score(hot, probabilities, average="weighted")
""",
    ],
    "roc_auc": [
        """
def roc_auc(positive, scores):
    return np.mean([up >= down for up in scores[positive] for down in scores[~positive]])
""",
    ],
    "macro_f1": [
        """
def macro_f1(labels, predicted, classes):
    from sklearn.metrics import f1_score

    return f1_score(labels, predicted, average="macro", zero_division=0)
""",
        """
def macro_f1(labels, predicted, classes):
    from sklearn.metrics import f1_score

    return f1_score(labels, predicted, labels=range(classes), average="weighted", zero_division=0)
""",
        """
def macro_f1(labels, predicted, classes):
    return (labels == predicted).sum() / len(labels)
""",
    ],
    "calibration_error": [
        """
def calibration_error(labels, probabilities, bins=10):
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    return abs(right.mean() - sure.mean())
""",
        """
def calibration_error(labels, probabilities, bins=10):
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = (sure * bins).astype(int)
    return sum(abs((right - sure)[place == b].sum()) for b in range(bins)) / len(labels)
""",
    ],
    "wilson_interval": [
        """
def wilson_interval(right, n, z=1.96):
    p = right / n
    reach = z * (p * (1 - p) / n) ** 0.5
    return max(p - reach, 0.0), min(p + reach, 1.0)
""",
        """
def wilson_interval(right, n, z=1.96):
    from scipy.stats import binomtest

    ends = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return ends.low, ends.high
""",
    ],
    "mean_interval": [
        """
def mean_interval(values, level=0.95):
    reach = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values) - reach, np.mean(values) + reach
""",
        """
def mean_interval(values, level=0.95):
    reach = stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values) / len(values) ** 0.5
    return np.mean(values) - reach, np.mean(values) + reach
""",
    ],
    "mcnemar": [
        """
def mcnemar(first_right, second_right):
    a, b = np.sum(first_right > second_right), np.sum(second_right > first_right)
    if a + b == 0:
        return 1.0
    return stats.chi2.sf((a - b) ** 2 / (a + b), 1)
""",
        """
def mcnemar(first_right, second_right):
    a, b = int(np.sum(first_right > second_right)), int(np.sum(second_right > first_right))
    return stats.binomtest(b, a + b, alternative="greater").pvalue if a + b else 1.0
""",
    ],
    "shared_errors": [
        """
def shared_errors(right):
    return 1 - np.mean(np.all(right, axis=0))
""",
    ],
    "vote": [
        """
def vote(probabilities):
    return stats.mode(np.argmax(probabilities, axis=2), axis=0).mode
""",
    ],
    "affine": [
        """
def affine(rotation, shift, shear, zoom):
    r, s = np.deg2rad(rotation), np.deg2rad(shear)
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    turned = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    slanted = np.array([[1, np.tan(s), 0], [0, 1, 0], [0, 0, 1]])
    return moved @ turned @ slanted @ np.diag([zoom, zoom, 1])
""",
    ],
    "sample_affines": [
        """
def sample_affines(rng, n):
    rows = rng.uniform(0, 1, (n, 5)) * [8, 0.08, 0.08, 0.3, 0.08]
    return np.array([affine(a, (b, c), e, 1 + f) for a, b, c, e, f in rows]).reshape(n, 3, 3)
""",
    ],
    "grid": [
        """
def grid(space):
    return [dict(zip(space, row)) for row in zip(*space.values())]
""",
    ],
    "random_search": [
        """
def random_search(space, n, rng):
    def one(v):
        return rng.uniform(*v) if isinstance(v, tuple) else v[rng.integers(len(v))]

    return [{name: one(values) for name, values in space.items()} for _ in range(n)]
""",
    ],
    "distinct": [
        """
def distinct(trials, name):
    return len(trials)
""",
    ],
}
