"""Answers to lab 06: right ones, written differently, and wrong ones."""

VARIANTS = {
    "grouped_split": [
        """
def grouped_split(groups, fraction=0.2, seed=0):
    size = len(groups)
    names = np.random.RandomState(seed).permutation(np.unique(groups))
    held_out = []
    for name in names:
        if len(held_out) >= fraction * size:
            break
        held_out += np.flatnonzero(groups == name).tolist()
    train = [index for index in range(size) if index not in set(held_out)]
    return np.array(train), np.array(held_out)
""",
        """
import random

def grouped_split(groups, fraction=0.2, seed=0):
    members = {}
    for index, group in enumerate(groups):
        members.setdefault(int(group), []).append(index)
    order = list(members)
    random.Random(seed).shuffle(order)
    train, held_out = [], []
    for group in order:
        side = held_out if len(held_out) + len(members[group]) <= fraction * len(groups) else train
        side.extend(members[group])
    return np.array(train, dtype=int), np.array(held_out, dtype=int)
""",
        """
def grouped_split(groups, fraction=0.2, seed=0):
    rng = np.random.default_rng(seed)
    luck = {group: rng.random() for group in np.unique(groups)}
    order = np.argsort([luck[group] for group in groups], kind="stable")
    cut = round(fraction * len(groups))
    while 0 < cut < len(groups) and groups[order[cut]] == groups[order[cut - 1]]:
        cut += 1
    return order[cut:], order[:cut]
""",
    ],
    "share_seen": [
        """
def share_seen(pictures, draws):
    return -np.expm1(draws * np.log1p(-1 / pictures))
""",
        """
def share_seen(pictures, draws):
    missed = 1.0
    for _ in range(draws):
        missed *= (pictures - 1) / pictures
    return 1 - missed
""",
        """
def share_seen(pictures, draws):
    return np.sum((1 / pictures) * (1 - 1 / pictures) ** np.arange(draws))
""",
    ],
    "train_network": [
        """
def train_network(images, labels, validation):
    network = models.simpsons_cnn(size, classes)
    small = profile.name() == "grading"
    epochs, batch = (20, 8) if small else (10, 64)
    training.fit(network, images, labels, epochs=epochs, batch_size=batch, learning_rate=3e-3)
    return network
""",
        """
def train_network(images, labels, validation):
    network = models.simpsons_cnn(images.shape[1], len(d.class_names))
    network.compile("adam", "sparse_categorical_crossentropy")
    size = profile.pick(quick=32, full=128, grading=8)
    network.fit(images, labels, size, epochs=20, validation_data=validation, verbose=0)
    return network
""",
        """
def train_network(images, labels, validation):
    layers = keras.layers
    network = keras.Sequential([
        keras.Input(images.shape[1:]),
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Conv2D(32, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(96, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(classes, activation="softmax"),
    ])
    batch = profile.pick(quick=64, full=128, grading=8)
    training.fit(
        network, images, labels, epochs=20, batch_size=batch, learning_rate=2e-3,
        augment=training.random_flip,
    )
    return network
""",
    ],
    "write_submission": [
        """
import pandas as pd

def write_submission(path, ids, probabilities, class_names):
    names = [class_names[label] for label in np.asarray(probabilities).argmax(axis=1)]
    pd.DataFrame({"id": ids, "character": names}).to_csv(path, index=False)
""",
        """
def write_submission(path, ids, probabilities, class_names):
    with open(path, "w") as file:
        print("id,character", file=file)
        for number, row in zip(ids, probabilities):
            print(number, class_names[int(np.argmax(row))], sep=",", file=file)
""",
        """
def write_submission(path, ids, probabilities, class_names):
    best = np.argmax(probabilities, axis=-1)
    kaggle.write(ids, np.array(class_names)[best], path)
""",
        """
def write_submission(path, ids, probabilities, class_names):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "character"])
        writer.writeheader()
        for i, p in zip(ids, probabilities):
            writer.writerow({"id": i, "character": class_names[list(p).index(max(p))]})
""",
    ],
    "confusion": [
        """
def confusion(y_true, y_pred, classes):
    matrix = [[0] * classes for _ in range(classes)]
    for true, predicted in zip(y_true, y_pred):
        matrix[true][predicted] += 1
    return np.array(matrix)
""",
        """
def confusion(y_true, y_pred, classes):
    return np.bincount(y_true * classes + y_pred, minlength=classes**2).reshape(classes, classes)
""",
        """
def confusion(y_true, y_pred, classes):
    one_hot = np.eye(classes, dtype=int)
    return one_hot[y_true].T @ one_hot[y_pred]
""",
        """
def confusion(y_true, y_pred, classes):
    return np.array([
        [np.sum((y_true == i) & (y_pred == j)) for j in range(classes)] for i in range(classes)
    ])
""",
        """
def confusion(y_true, y_pred, classes):
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(y_true, y_pred, labels=range(classes))
""",
    ],
    "normalise_rows": [
        """
def normalise_rows(matrix):
    sums = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0)
""",
        """
def normalise_rows(matrix):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(matrix / matrix.sum(1)[:, None])
""",
        """
def normalise_rows(matrix):
    return np.array([[n / sum(row) if sum(row) else 0.0 for n in row] for row in matrix.tolist()])
""",
    ],
    "most_confused": [
        """
def most_confused(matrix, count):
    size = len(matrix)
    pairs = [
        (i, j, int(matrix[i, j])) for i in range(size) for j in range(size) if i != j and matrix[i, j]
    ]
    pairs.sort(key=lambda pair: -pair[2])
    return np.array(pairs[:count])
""",
        """
def most_confused(matrix, count):
    true, predicted = np.nonzero(matrix * (1 - np.eye(len(matrix), dtype=int)))
    errors = matrix[true, predicted]
    order = np.lexsort((predicted, true, -errors))[:count]
    return np.column_stack([true, predicted, errors])[order]
""",
        """
def most_confused(matrix, count):
    left = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    found = []
    while len(found) < count and left.max() > 0:
        i, j = divmod(int(left.argmax()), len(left))
        found.append([i, j, left[i, j]])
        left[i, j] = 0
    return np.array(found)
""",
    ],
    "precision_recall_f1": [
        """
from sklearn.metrics import precision_recall_fscore_support

def precision_recall_f1(matrix):
    cells = [(i, j) for i in range(len(matrix)) for j in range(len(matrix))]
    counts = [matrix[cell] for cell in cells]
    true, said = (np.repeat([cell[side] for cell in cells], counts) for side in (0, 1))
    scores = precision_recall_fscore_support(true, said, labels=range(len(matrix)), zero_division=0)
    return scores[0], scores[1], scores[2]
""",
        """
def precision_recall_f1(matrix):
    precision, recall, f1 = [], [], []
    for c in range(len(matrix)):
        hits = matrix[c, c]
        p = hits / matrix[:, c].sum() if matrix[:, c].sum() else 0.0
        r = hits / matrix[c].sum() if matrix[c].sum() else 0.0
        precision.append(p)
        recall.append(r)
        f1.append(2 * p * r / (p + r) if p + r else 0.0)
    return np.array(precision), np.array(recall), np.array(f1)
""",
        """
def precision_recall_f1(matrix):
    right = np.diagonal(matrix).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, r = right / matrix.sum(0), right / matrix.sum(1)
        f = 2 / (1 / p + 1 / r)
    return tuple(np.nan_to_num(values) for values in (p, r, f))
""",
    ],
    "class_weights": [
        """
from sklearn.utils.class_weight import compute_class_weight

def class_weights(labels, classes):
    return compute_class_weight("balanced", classes=np.arange(classes), y=labels)
""",
        """
def class_weights(labels, classes):
    return np.array([len(labels) / classes / np.sum(labels == c) for c in range(classes)])
""",
        """
def class_weights(labels, classes):
    share = np.bincount(labels, minlength=classes) / len(labels)
    return 1 / (classes * share)
""",
    ],
    "top_k_accuracy": [
        """
def top_k_accuracy(probabilities, labels, k):
    hits = [label in np.argsort(row)[-k:] for row, label in zip(probabilities, labels)]
    return sum(hits) / len(hits)
""",
        """
def top_k_accuracy(probabilities, labels, k):
    own = probabilities[np.arange(len(labels)), labels]
    better = (probabilities > own[:, None]).sum(axis=1)
    return np.mean(better < k)
""",
        """
from sklearn.metrics import top_k_accuracy_score

def top_k_accuracy(probabilities, labels, k):
    if k == probabilities.shape[1]:
        return 1.0
    return top_k_accuracy_score(labels, probabilities, k=k, labels=np.arange(probabilities.shape[1]))
""",
    ],
    "first_layer_filters": [
        """
def first_layer_filters(model):
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.array(layer.kernel)
            break
    kernel = kernel.transpose(3, 0, 1, 2)
    kernel -= kernel.min()
    return kernel / kernel.max()
""",
        """
def first_layer_filters(model):
    kernels = [w for layer in model.layers for w in layer.get_weights() if np.ndim(w) == 4]
    low, high = kernels[0].min(), kernels[0].max()
    filters = [kernels[0][..., f] for f in range(kernels[0].shape[-1])]
    return np.stack([(one - low) / (high - low) for one in filters])
""",
        """
def first_layer_filters(model):
    layer = [layer for layer in model.layers if "conv" in layer.name][0]
    kernel = keras.ops.moveaxis(layer.kernel, -1, 0)
    low, high = keras.ops.min(kernel), keras.ops.max(kernel)
    return keras.ops.convert_to_numpy((kernel - low) / (high - low))
""",
    ],
    "grad_cam": [
        """
def grad_cam(model, image, label, layer):
    maps, slope = slopes(model, image, label, layer)
    found = np.zeros(maps.shape[:2])
    for f in range(maps.shape[2]):
        found += np.mean(slope[:, :, f]) * maps[:, :, f]
    found[found < 0] = 0
    if found.max() > 0:
        found /= found.max()
    rows, columns = (of // small for of, small in zip(image.shape, found.shape))
    return np.repeat(np.repeat(found, rows, axis=0), columns, axis=1)
""",
        """
def grad_cam(model, image, label, layer):
    maps, slope = slopes(model, image, label, layer)
    alpha = np.einsum("hwf->f", slope) / slope[..., 0].size
    found = np.clip(np.einsum("hwf,f->hw", maps, alpha), 0, None)
    top = found.max()
    found = found / top if top else found
    height, width = image.shape[:2]
    return [[found[r * len(found) // height, c * found.shape[1] // width] for c in range(width)] for r in range(height)]
""",
        """
def grad_cam(model, image, label, layer):
    maps, slope = slopes(model, np.asarray(image).copy(), label, layer)
    found = keras.ops.relu((maps * slope.mean((0, 1), keepdims=True)).sum(-1))
    resized = keras.ops.image.resize(
        keras.ops.convert_to_tensor(found)[None, :, :, None], image.shape[:2], interpolation="nearest"
    )
    resized = keras.ops.convert_to_numpy(resized)[0, :, :, 0]
    return resized / max(resized.max(), 1e-30)
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "grouped_split": [
        """
def grouped_split(groups, fraction=0.2, seed=0):
    names = np.random.default_rng().permutation(np.unique(groups))
    sizes = np.array([np.sum(groups == name) for name in names])
    enough = np.searchsorted(np.cumsum(sizes), fraction * len(groups)) + 1
    held_out = np.isin(groups, names[:enough])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
""",
        """
def grouped_split(groups, fraction=0.2, seed=0):
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    held_out = np.isin(groups, names[: round(fraction * len(names))])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
""",
    ],
    "confusion": [
        """
def confusion(y_true, y_pred, classes):
    matrix = np.zeros((classes, classes), dtype=np.uint8)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix
""",
        """
def confusion(y_true, y_pred, classes):
    matrix = np.zeros((classes, classes), dtype="int8")
    for true, predicted in zip(y_true, y_pred):
        matrix[true, predicted] += 1
    return matrix
""",
        """
def confusion(y_true, y_pred, classes):
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix
""",
    ],
    "normalise_rows": [
        """
def normalise_rows(matrix):
    return np.round(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), 2)
""",
    ],
    "most_confused": [
        """
def most_confused(matrix, count):
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:count]
    true, predicted = np.unravel_index(order, matrix.shape)
    pairs = np.stack([true, predicted, matrix[true, predicted]], axis=1)
    return pairs[pairs[:, 2] > 0]
""",
        """
def most_confused(matrix, count):
    errors = matrix - np.diag(np.diag(matrix))
    order = np.argsort(errors, axis=None, kind="stable")[::-1][:count]
    true, predicted = np.unravel_index(order, errors.shape)
    pairs = np.stack([true, predicted, errors[true, predicted]], axis=1)
    return pairs[pairs[:, 2] > 0]
""",
        """
def most_confused(matrix, count):
    errors = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    true, predicted = np.unravel_index(order, errors.shape)
    return np.stack([true, predicted, errors[true, predicted]], axis=1)
""",
    ],
    "top_k_accuracy": [
        """
def top_k_accuracy(probabilities, labels, k):
    hits = [labels[n] in np.argsort(-p)[:k] for n, p in enumerate(probabilities)]
    return sum(hits) // len(hits)
""",
    ],
    "first_layer_filters": [
        """
def first_layer_filters(model):
    layer = next(one for one in model.layers if isinstance(one, keras.layers.Conv2D))
    filters = np.moveaxis(layer.get_weights()[0], -1, 0)
    return ((filters - filters.min()) / np.ptp(filters) * 255).astype("uint8")
""",
    ],
}
