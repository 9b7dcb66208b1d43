"""Lab 09: right answers that are written differently, and wrong ones."""

VARIANTS = {
    "layer_table": [
        """
def layer_table(groups=True, size=227):
    table = []
    shape = (size, size, 3)
    for name, filters, k, s, p, halves, pooled in ALEXNET:
        height = (shape[0] + 2 * p - k) // s + 1
        width = (shape[1] + 2 * p - k) // s + 1
        maps = shape[2]
        if groups and halves:
            maps = maps // 2
        neurons = height * width * filters
        per_neuron = k * k * maps
        table.append(((height, width, filters), filters * (per_neuron + 1), neurons, neurons * per_neuron))
        shape = (height, width, filters)
        if pooled:
            shape = ((height - 3) // 2 + 1, (width - 3) // 2 + 1, filters)
    before = shape[0] * shape[1] * shape[2]
    for units in DENSE:
        table.append(((units,), units * before + units, units, units * before))
        before = units
    return table
""",
        """
def layer_table(groups=True, size=227):
    rows = []
    stages = [list(row) for row in ALEXNET]
    n, c = size, 3
    for row in stages:
        n = int(np.floor((n + 2 * row[4] - row[2]) / row[3])) + 1
        parts = 2 if row[5] and groups else 1
        kernel = np.prod([row[2], row[2], c // parts, row[1]])
        rows.append(((n, n, row[1]), int(kernel + row[1]), int(n * n * row[1]), int(kernel * n * n)))
        c = row[1]
        n = (n - 1) // 2 if row[6] else n
    widths = [n * n * c, *DENSE]
    for a, b in zip(widths[:-1], widths[1:]):
        rows.append(((b,), b + a * b, b, a * b))
    return rows
""",
        """
def layer_table(groups=True, size=227):
    def walk():
        side, maps = size, 3
        for _, filters, k, stride, padding, halves, pooled in ALEXNET:
            side = len(range(0, side + 2 * padding - k + 1, stride))
            each = k**2 * (maps // (1 + (halves and groups)))
            yield (side, side, filters), each, side * side * filters, filters
            maps = filters
            if pooled:
                side = len(range(0, side - 2, 2))
        last = side * side * maps
        for units in DENSE:
            yield (units,), last, units, units
            last = units
    return [(shape, (each + 1) * width, neurons, neurons * each) for shape, each, neurons, width in walk()]
""",
    ],
    "epochs_to": [
        """
def epochs_to(errors, level=0.25):
    errors = np.asarray(errors, dtype=float)
    if not (errors <= level).any():
        return None
    n = int(np.argmax(errors <= level))
    if n == 0:
        return 1.0
    return float(np.interp(level, [errors[n], errors[n - 1]], [n + 1, n]))
""",
        """
def epochs_to(errors, level=0.25):
    if errors[0] <= level:
        return 1.0
    for epoch in range(2, len(errors) + 1):
        high, low = errors[epoch - 2], errors[epoch - 1]
        if low <= level:
            return epoch - (level - low) / (high - low)
    return None
""",
        """
def epochs_to(errors, level=0.25):
    place = next((n for n, error in enumerate(errors) if error <= level), None)
    if not place:
        return place if place is None else 1.0
    slope = errors[place] - errors[place - 1]
    return place + (level - errors[place - 1]) / slope
""",
    ],
    "local_response_norm": [
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    squares = np.pad(volume**2, [(0, 0), (0, 0), (n // 2, n // 2)])
    total = sum(squares[:, :, i : i + volume.shape[2]] for i in range(n))
    return volume * (k + alpha * total) ** -beta
""",
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    result = np.zeros_like(volume)
    height, width, channels = volume.shape
    for y in range(height):
        for x in range(width):
            for i in range(channels):
                total = 0
                for j in range(max(0, i - n // 2), min(channels - 1, i + n // 2) + 1):
                    total += volume[y, x, j] ** 2
                result[y, x, i] = volume[y, x, i] / (k + alpha * total) ** beta
    return result
""",
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    channels = np.arange(volume.shape[2])
    near = np.abs(channels[:, None] - channels[None, :]) <= n // 2
    return (volume / np.power(k + alpha * (volume**2 @ near), beta)).astype(np.float32)
""",
    ],
    "dropout_2012": [
        """
def dropout_2012(x, rng, training):
    if not training:
        return 0.5 * x
    return x * (rng.random(x.shape) >= 0.5)
""",
        """
def dropout_2012(x, rng, training):
    if training:
        kept = x.copy()
        kept[rng.random(x.shape) < 0.5] = 0
        return kept
    return x / 2
""",
        """
def dropout_2012(x, rng, training):
    mask = 1 - (rng.random(x.shape) < 0.5).astype(float) if training else 0.5
    return np.multiply(x, mask)
""",
    ],
    "momentum_step": [
        """
def momentum_step(w, v, gradient, lr, momentum=0.9, decay=0.0005):
    new_v = momentum * v - lr * (gradient + decay * w)
    new_w = w + new_v
    return new_w, new_v
""",
        """
def momentum_step(w, v, gradient, lr, momentum=0.9, decay=0.0005):
    v = np.array(v, dtype=float)
    v *= momentum
    v -= decay * lr * np.asarray(w)
    v -= lr * np.asarray(gradient)
    return np.add(w, v), v + 0
""",
        """
def momentum_step(w, v, gradient, lr, momentum=0.9, decay=0.0005):
    inertia, pull, push = momentum * v, -decay * lr * w, -lr * gradient
    return w + inertia + pull + push, inertia + pull + push
""",
    ],
    "ten_crops": [
        """
def ten_crops(image, size):
    height, width = image.shape[:2]
    y, x = (height - size) // 2, (width - size) // 2
    crops = [
        image[:size, :size],
        image[:size, width - size :],
        image[height - size :, :size],
        image[height - size :, width - size :],
        image[y : y + size, x : x + size],
    ]
    return np.array(crops + [np.fliplr(crop) for crop in crops])

def average(probabilities):
    return sum(probabilities) / len(probabilities)
""",
        """
def ten_crops(image, size):
    found = np.empty((10, size, size, 3), image.dtype)
    bottom, right = image.shape[0] - size, image.shape[1] - size
    for n, (y, x) in enumerate([(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]):
        found[n] = image[y : y + size, x : x + size]
        found[n + 5] = found[n][:, ::-1]
    return found

def average(probabilities):
    return np.asarray(probabilities).mean(0)
""",
        """
def ten_crops(image, size):
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    windows = windows.transpose(0, 1, 3, 4, 2)
    last_row, last_column = windows.shape[0] - 1, windows.shape[1] - 1
    rows = [0, 0, last_row, last_row, last_row // 2]
    columns = [0, last_column, 0, last_column, last_column // 2]
    five = windows[rows, columns]
    return np.vstack([five, np.flip(five, axis=2)])

def average(probabilities):
    weights = np.full(len(probabilities), 1 / len(probabilities))
    return weights @ probabilities
""",
    ],
    "colour_components": [
        """
def colour_components(images):
    pixels = images.reshape(-1, 3).astype("float64")
    pixels -= pixels.mean(axis=0)
    _, sizes, rows = np.linalg.svd(pixels, full_matrices=False)
    return sizes**2 / (len(pixels) - 1), rows.T
""",
        """
def colour_components(images):
    red, green, blue = (images[..., c].ravel().astype(float) for c in range(3))
    values, vectors = np.linalg.eig(np.cov([red, green, blue]))
    order = np.argsort(values)[::-1]
    return values[order], -vectors[:, order]
""",
        """
def colour_components(images):
    from sklearn.decomposition import PCA

    found = PCA(3).fit(images.reshape(-1, 3).astype(float))
    return found.explained_variance_, found.components_.T
""",
    ],
    "colour_jitter": [
        """
def colour_jitter(image, values, vectors, alphas):
    shift = np.dot(vectors, np.multiply(alphas, values))
    return image.astype(float) + shift.reshape(1, 1, 3)
""",
        """
def colour_jitter(image, values, vectors, alphas):
    result = np.array(image, dtype=float)
    for n in range(3):
        result += alphas[n] * values[n] * vectors[:, n]
    return result
""",
        """
def colour_jitter(image, values, vectors, alphas):
    result = np.zeros(image.shape)
    for c in range(3):
        result[..., c] = image[..., c] + sum(vectors[c][j] * alphas[j] * values[j] for j in range(3))
    return result
""",
    ],
    "top_k_error": [
        """
def top_k_error(labels, probabilities, k):
    wrong = 0
    for label, row in zip(labels, probabilities):
        others = np.delete(row, label)
        if np.sum(others >= row[label]) >= k:
            wrong += 1
    return wrong / len(labels)
""",
        """
def top_k_error(labels, probabilities, k):
    errors = []
    for label, row in zip(labels, probabilities):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c == label))
        errors.append(label not in order[:k])
    return np.mean(errors)
""",
        """
def top_k_error(labels, probabilities, k):
    lowered = np.array(probabilities, dtype=float)
    lowered[np.arange(len(labels)), labels] -= 1e-9
    best = np.argsort(-lowered, axis=1)[:, :k]
    return 1 - np.mean(np.any(best == np.asarray(labels)[:, None], axis=1))
""",
    ],
    "nearest": [
        """
def nearest(features, query, k):
    squares = ((features - query) ** 2).sum(axis=1)
    return squares.argsort()[:k]
""",
        """
def nearest(features, query, k):
    distances = [(float(np.sqrt(np.sum((row - query) ** 2))), n) for n, row in enumerate(features)]
    return np.array([n for _, n in sorted(distances)[:k]])
""",
        """
def nearest(features, query, k):
    from scipy.spatial.distance import cdist

    distances = cdist(query[np.newaxis], features)[0]
    some = np.argpartition(distances, k - 1)[:k]
    return some[np.argsort(distances[some])]
""",
    ],
    "average_gradients": [
        """
def average_gradients(gradients, sizes):
    total = sum(sizes)
    result = []
    for weight in range(len(gradients[0])):
        mean = 0
        for part, size in zip(gradients, sizes):
            mean = mean + part[weight] * size / total
        result.append(mean)
    return result
""",
        """
def average_gradients(gradients, sizes):
    return [np.average(np.stack(same), axis=0, weights=sizes) for same in zip(*gradients)]
""",
        """
def average_gradients(gradients, sizes):
    sums = [np.zeros_like(one, dtype=float) for one in gradients[0]]
    for part, size in zip(gradients, sizes):
        sums = [so_far + size * one for so_far, one in zip(sums, part)]
    return [one / sum(sizes) for one in sums]
""",
    ],
}

WRONG = {
    "layer_table": [
        """
def layer_table(groups=True, size=227):
    rows, side, maps = [], size, 3
    for _, filters, k, stride, padding, halves, pooled in ALEXNET:
        side = (side + 2 * padding - k) // stride + 1
        out = filters // 2 if groups and halves else filters
        rows.append(((side, side, filters), k**2 * maps * out + out, side**2 * filters, side**2 * k**2 * maps * out))
        maps, side = filters, (side - 3) // 2 + 1 if pooled else side
    inputs = side**2 * maps
    for units in DENSE:
        rows.append(((units,), inputs * units + units, units, inputs * units))
        inputs = units
    return rows
""",
    ],
    "epochs_to": [
        """
def epochs_to(errors, level=0.25):
    return float(np.interp(-level, -np.asarray(errors), np.arange(1, len(errors) + 1)))
""",
        """
def epochs_to(errors, level=0.25):
    for n in range(1, len(errors)):
        if errors[n] < level:
            return n + (errors[n - 1] - level) / (errors[n - 1] - errors[n])
    return None
""",
    ],
    "local_response_norm": [
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    channels, half = volume.shape[2], n // 2
    scale = np.full(volume.shape, float(k))
    for i in range(half, channels - half):
        scale[:, :, i] += alpha * (volume[:, :, i - half : i + half + 1] ** 2).sum(axis=2)
    return volume / scale**beta
""",
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    result = volume.copy()
    for y, x, i in np.ndindex(result.shape):
        near = result[y, x, max(0, i - n // 2) : i + n // 2 + 1]
        result[y, x, i] = result[y, x, i] / (k + alpha * np.sum(near**2)) ** beta
    return result
""",
        """
def local_response_norm(volume, n=5, k=2, alpha=1e-4, beta=0.75):
    squares = np.pad(volume**2, [(0, 0), (0, 0), (n // 2, n // 2)])
    total = sum(squares[:, :, i : i + volume.shape[2]] for i in range(n))
    volume *= (k + alpha * total) ** -beta
    return volume
""",
    ],
    "dropout_2012": [
        """
def dropout_2012(x, rng, training):
    if training:
        x[rng.random(x.shape) < 0.5] = 0
        return x
    return x / 2
""",
        """
def dropout_2012(x, rng, training):
    off = rng.random(x.shape) < 0.5
    return np.where(off, 0, x) if training else x / 2
""",
    ],
    "momentum_step": [
        """
def momentum_step(w, v, gradient, lr, momentum=0.9, decay=0.0005):
    w = w * (1 - decay * lr)
    v = momentum * v - lr * gradient
    return w + v, v
""",
    ],
    "ten_crops": [
        """
def ten_crops(image, size):
    s = size
    five = [image[:s, :s], image[:s, -s:], image[-s:, :s], image[-s:, -s:]]
    y, x = image.shape[0] // 2 - s // 2, image.shape[1] // 2 - s // 2
    five.append(image[y : y + s, x : x + s])
    return np.array(five + [crop.transpose(1, 0, 2) for crop in five])

def average(probabilities):
    return np.median(probabilities, axis=0)
""",
    ],
    "colour_components": [
        """
def colour_components(images):
    means = images.mean(axis=(1, 2))
    values, vectors = np.linalg.eigh(np.cov(means, rowvar=False))
    return values[::-1], vectors[:, ::-1]
""",
    ],
    "top_k_error": [
        """
def top_k_error(labels, probabilities, k):
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return 1 - np.mean(np.any(best == labels[:, None], axis=1))
""",
    ],
    "average_gradients": [
        """
def average_gradients(gradients, sizes):
    first, *others = [np.multiply(size, part[0]) for part, size in zip(gradients, sizes)]
    return [sum(others, first) / sum(sizes)]
""",
    ],
}
