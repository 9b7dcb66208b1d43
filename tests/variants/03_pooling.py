"""Answers to lab 03: right ones, written differently, and wrong ones."""

VARIANTS = {
    "pooled_size": [
        """
def pooled_size(n, size=2, stride=None):
    return len(range(0, n - size + 1, stride or size))
""",
        """
def pooled_size(n, size=2, stride=None):
    step = size if stride is None else stride
    count = 0
    start = 0
    while start + size <= n:
        count += 1
        start += step
    return count
""",
        """
def pooled_size(n, size=2, stride=None):
    if stride == None:
        stride = size
    return int(np.floor((n - size) / stride + 1))
""",
        """
def pooled_size(n, size=2, stride=None):
    stride = stride or size
    if n < size:
        return 0
    return 1 + pooled_size(n - stride, size, stride)
""",
    ],
    "pool": [
        """
def pool(image, size=2, stride=None, mode="max"):
    if stride is None:
        stride = size
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size))
    windows = windows[::stride, ::stride]
    if mode == "max":
        return windows.max(axis=(2, 3))
    if mode == "average":
        return windows.mean(axis=(2, 3))
    return windows.sum(axis=(2, 3))
""",
        """
def pool(image, size=2, stride=None, mode="max"):
    stride = stride or size
    rows = []
    for top in range(0, len(image) - size + 1, stride):
        row = []
        for left in range(0, len(image[0]) - size + 1, stride):
            values = []
            for i in range(size):
                for j in range(size):
                    values.append(image[top + i][left + j])
            if mode == "max":
                row.append(max(values))
            elif mode == "sum":
                row.append(sum(values))
            else:
                row.append(sum(values) / len(values))
        rows.append(row)
    return np.array(rows)
""",
        """
def pool(image, size=2, stride=None, mode="max"):
    stride = size if stride is None else stride
    h, w = pooled_size(image.shape[0], size, stride), pooled_size(image.shape[1], size, stride)
    out = np.full((h, w), -np.inf if mode == "max" else 0.0, dtype=np.float32)
    for i in range(size):
        for j in range(size):
            part = image[i : i + (h - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride]
            out = np.maximum(out, part) if mode == "max" else out + part
    return out / size**2 if mode == "average" else out
""",
        """
def pool(image, size=2, stride=None, mode="max"):
    import keras

    batch = keras.ops.convert_to_tensor(np.asarray(image, dtype="float32")[None, :, :, None])
    pooling = keras.ops.max_pool if mode == "max" else keras.ops.average_pool
    out = keras.ops.convert_to_numpy(pooling(batch, size, stride or size, "valid"))[0, :, :, 0]
    return out * size**2 if mode == "sum" else out
""",
    ],
    "pool_volume": [
        """
def pool_volume(volume, size=2, stride=None, mode="max"):
    return np.dstack([pool(volume[..., c], size, stride, mode) for c in range(volume.shape[-1])])
""",
        """
def pool_volume(volume, size=2, stride=None, mode="max"):
    height, width, depth = volume.shape
    out = np.zeros((pooled_size(height, size, stride), pooled_size(width, size, stride), depth), np.float32)
    for c in range(depth):
        out[:, :, c] = pool(volume[:, :, c], size=size, stride=stride, mode=mode)
    return out
""",
        """
def pool_volume(volume, size=2, stride=None, mode="max"):
    stride = stride or size
    windows = np.lib.stride_tricks.sliding_window_view(volume, (size, size), axis=(0, 1))
    function = {"max": np.max, "average": np.mean, "sum": np.sum}[mode]
    return function(windows[::stride, ::stride], axis=(-2, -1))
""",
        """
def pool_volume(volume, size=2, stride=None, mode="max"):
    maps = [pool(channel, size, stride, mode) for channel in volume.transpose(2, 0, 1)]
    return np.array(maps).transpose(1, 2, 0)
""",
    ],
    "global_average": [
        """
def global_average(volume):
    return volume.mean(axis=0).mean(axis=0)
""",
        """
def global_average(volume):
    return [float(np.mean(volume[:, :, c])) for c in range(volume.shape[2])]
""",
        """
def global_average(volume):
    height, width, _ = volume.shape
    return np.einsum("hwc->c", volume.astype(np.float32)) / (height * width)
""",
        """
def global_average(volume):
    import keras

    return keras.ops.mean(keras.ops.convert_to_tensor(volume), axis=(0, 1))
""",
    ],
    "pool_fast": [
        """
def pool_fast(images, size=2):
    h, w = images.shape[1] // size * size, images.shape[2] // size * size
    parts = [images[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
    return np.maximum.reduce(parts)
""",
        """
def pool_fast(images, size=2):
    n, h, w, c = images.shape
    images = images[:, : h - h % size, : w - w % size, :]
    rows = images.reshape(n, h // size, size, w - w % size, c).max(axis=2)
    return rows.reshape(n, h // size, w // size, size, c).max(axis=3)
""",
        """
def pool_fast(images, size=2):
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows[:, ::size, ::size].max(axis=(-1, -2))
""",
        """
def pool_fast(images, size=2):
    import keras

    batch = keras.ops.convert_to_tensor(images.astype("float32"))
    return keras.ops.max_pool(batch, size, size, "valid")
""",
    ],
    "max_pool_gradient": [
        """
def max_pool_gradient(image, upstream, size=2):
    gradient = np.zeros_like(image)
    for i in range(image.shape[0] // size):
        for j in range(image.shape[1] // size):
            best, row, column = -np.inf, None, None
            for r in range(i * size, (i + 1) * size):
                for c in range(j * size, (j + 1) * size):
                    if image[r, c] > best:
                        best, row, column = image[r, c], r, c
            gradient[row, column] += upstream[i, j]
    return gradient
""",
        """
def max_pool_gradient(image, upstream, size=2):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    whole = image[: rows * size, : columns * size]
    windows = whole.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(rows, columns, -1)
    winners = windows.argmax(axis=2)[..., None]
    shares = np.zeros(windows.shape)
    np.put_along_axis(shares, winners, np.asarray(upstream)[..., None], axis=2)
    gradient = np.zeros(image.shape)
    gradient[: rows * size, : columns * size] = (
        shares.reshape(rows, columns, size, size).swapaxes(1, 2).reshape(whole.shape)
    )
    return gradient
""",
        """
def max_pool_gradient(image, upstream, size=2):
    import tensorflow as tf

    batch = tf.constant(np.asarray(image, np.float32)[None, :, :, None])
    with tf.GradientTape() as tape:
        tape.watch(batch)
        pooled = tf.nn.max_pool2d(batch, size, size, "VALID")[0, :, :, 0]
        error = tf.reduce_sum(pooled * np.asarray(upstream, np.float32))
    return tape.gradient(error, batch)[0, :, :, 0]
""",
        """
def max_pool_gradient(image, upstream, size=2):
    gradient = np.zeros(np.shape(image), dtype=np.float32)
    for i, row in enumerate(upstream):
        for j, value in enumerate(row):
            window = image[i * size : (i + 1) * size, j * size : (j + 1) * size]
            r, c = np.argwhere(window == np.max(window))[0]
            gradient[i * size + r, j * size + c] = value
    return gradient
""",
    ],
    "shift_response": [
        """
def shift_response(image, kernel, size=2, shift=1):
    width = image.shape[1] - shift
    a = relu(convolve(image[:, :width], kernel))
    b = relu(convolve(image[:, shift:], kernel))
    answer = []
    for first, second in ((a, b), (pool(a, size), pool(b, size))):
        below = np.sum(first) + np.sum(second)
        answer.append(0 if below == 0 else np.sum(np.abs(first - second)) / below)
    return answer
""",
        """
def shift_response(image, kernel, size=2, shift=1):
    whole = relu(convolve(image, kernel)).astype(np.float32)
    a, b = whole[:, :-shift], whole[:, shift:]
    pa, pb = (pool(m, size, size, "max") for m in (a, b))

    def change(x, y):
        return abs(x - y).sum() / max((x + y).sum(), 1e-30)

    return change(a, b), change(pa, pb)
""",
        """
def shift_response(image, kernel, size=2, shift=1):
    import keras

    def maps(view):
        batch = keras.ops.convert_to_tensor(view[None, :, :, None].astype("float32"))
        weights = keras.ops.convert_to_tensor(kernel[:, :, None, None].astype("float32"))
        found = keras.ops.relu(keras.ops.conv(batch, weights, 1, "valid"))
        return found, keras.ops.max_pool(found, size, size, "valid")

    result = []
    for a, b in zip(maps(image[:, :-shift]), maps(image[:, shift:])):
        total = float(keras.ops.sum(a + b))
        result.append(float(keras.ops.sum(keras.ops.abs(a - b))) / total if total else 0.0)
    return tuple(result)
""",
    ],
    "unit_norm": [
        """
def unit_norm(volume):
    length = np.linalg.norm(volume, axis=2, keepdims=True)
    return np.divide(volume, length, out=np.zeros_like(volume), where=length != 0)
""",
        """
def unit_norm(volume):
    result = np.zeros(volume.shape)
    for y in range(volume.shape[0]):
        for x in range(volume.shape[1]):
            length = math.sqrt(sum(a * a for a in volume[y, x]))
            if length:
                result[y, x] = volume[y, x] / length
    return result
""",
        """
def unit_norm(volume):
    volume = volume.astype(np.float32)
    return volume / (np.sqrt(np.sum(volume**2, axis=-1, keepdims=True)) + 1e-8)
""",
        """
def unit_norm(volume):
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(volume / np.sqrt(np.einsum("hwc,hwc->hw", volume, volume))[..., None])
""",
        """
def unit_norm(volume):
    length = np.sqrt((volume**2).sum(2))[:, :, None]
    return np.where(length == 0, 0, volume / length)
""",
    ],
    "output_shape": [
        """
def output_shape(layer, shape):
    if layer[0] == "conv":
        _, filters, kernel_size, stride, padding, groups = layer
        height = (shape[0] + 2 * padding - kernel_size) // stride + 1
        width = (shape[1] + 2 * padding - kernel_size) // stride + 1
        return (height, width, filters)
    elif layer[0] == "pool":
        _, size, stride = layer
        return ((shape[0] - size) // stride + 1, (shape[1] - size) // stride + 1, shape[2])
    elif layer[0] == "flatten":
        return (shape[0] * shape[1] * shape[2],)
    elif layer[0] == "dense":
        return (layer[1],)
    else:
        return shape
""",
        """
def output_shape(layer, shape):
    match layer:
        case ("conv", filters, size, stride, padding, _):
            sides = (np.array(shape[:2]) + 2 * padding - size) // stride + 1
            return tuple(sides) + (filters,)
        case ("pool", size, stride):
            sides = (np.array(shape[:2]) - size) // stride + 1
            return tuple(sides) + (shape[2],)
        case ("flatten",):
            return (math.prod(shape),)
        case ("dense", units):
            return (units,)
        case ("norm",):
            return tuple(shape)
""",
        """
def output_shape(layer, shape):
    def conv(filters, size, stride, padding, groups):
        return [pooled_size(n + 2 * padding, size, stride) for n in shape[:-1]] + [filters]

    makers = {
        "conv": conv,
        "pool": lambda size, stride: [pooled_size(n, size, stride) for n in shape[:2]] + [shape[2]],
        "norm": lambda: list(shape),
        "flatten": lambda: [int(np.prod(shape))],
        "dense": lambda units: [units],
    }
    return makers[layer[0]](*layer[1:])
""",
    ],
    "parameters": [
        """
def parameters(layer, shape):
    if layer[0] == "conv":
        _, filters, kernel_size, stride, padding, groups = layer
        weights = kernel_size * kernel_size * (shape[2] // groups) * filters
        return weights + filters
    if layer[0] == "dense":
        return layer[1] * shape[0] + layer[1]
    return 0
""",
        """
def parameters(layer, shape):
    kind = layer[0]
    if kind == "conv":
        kernel = np.empty((layer[2], layer[2], shape[-1] // layer[5], layer[1]), dtype=bool)
        return kernel.size + kernel.shape[-1]
    return (shape[-1] + 1) * layer[1] if kind == "dense" else 0
""",
        """
def parameters(layer, shape):
    match layer:
        case ("conv", filters, size, _, _, groups):
            return int(filters * (size**2 * shape[2] / groups) + filters)
        case ("dense", units):
            return int(np.dot(shape, [units])) + units
    return 0
""",
    ],
    "trace": [
        """
def trace(layers, input_shape):
    if not layers:
        return []
    first, *rest = layers
    shape = output_shape(first, input_shape)
    return [(first[0], shape, parameters(first, input_shape))] + trace(rest, shape)
""",
        """
def trace(layers, input_shape):
    shapes = [input_shape]
    for layer in layers:
        shapes.append(output_shape(layer, shapes[-1]))
    return [
        [layer[0], list(after), parameters(layer, before)]
        for layer, before, after in zip(layers, shapes, shapes[1:])
    ]
""",
        """
def trace(layers, input_shape):
    from itertools import accumulate

    def step(row, layer):
        return layer[0], output_shape(layer, row[1]), parameters(layer, row[1])

    return list(accumulate(layers, step, initial=("input", input_shape, 0)))[1:]
""",
        """
def trace(layers, input_shape):
    rows = []
    for index in range(len(layers)):
        before = rows[-1][1] if rows else tuple(input_shape)
        rows += [(layers[index][0], output_shape(layers[index], before), parameters(layers[index], before))]
    return tuple(rows)
""",
    ],
    "multiply_adds": [
        """
def multiply_adds(row):
    name, shape, count = row
    if name == "conv":
        height, width, filters = shape
        return (count - filters) * height * width
    if name == "dense":
        return count - shape[0]
    return 0
""",
        """
def multiply_adds(row):
    positions = 1
    for side in row[1][:-1]:
        positions *= side
    return (row[2] - row[1][-1]) * positions if row[2] > 0 else 0
""",
        """
def multiply_adds(row):
    *sides, units = row[1]
    return max(0, row[2] - units) * int(np.prod(sides))
""",
    ],
}

# Answers that break what the text of their exercise asks for.
WRONG = {
    "pooled_size": [
        """
def pooled_size(n, size=2, stride=None):
    return (n - size) / (stride or size) + 1
""",
    ],
    "pool": [
        """
def pool(image, size=2, stride=None, mode="max"):
    stride = stride or size
    height, width = (pooled_size(n, size, stride) for n in image.shape)
    output = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            window = image[i * stride : i * stride + size, j * stride : j * stride + size]
            best = -1000.0
            for value in window.ravel():
                best = max(best, value)
            output[i, j] = {"max": best, "average": window.mean(), "sum": window.sum()}[mode]
    return output
""",
        """
def pool(image, size=2, stride=None, mode="max"):
    stride = stride or size
    height, width = (pooled_size(n, size, stride) for n in image.shape)
    output = np.zeros((height, width), dtype=int)
    reduce = {"max": np.max, "average": np.mean, "sum": np.sum}[mode]
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            output[i, j] = reduce(image[top : top + size, left : left + size])
    return output
""",
        """
def pool(image, size=2, stride=None, mode="max"):
    stride = stride or size
    reduce = {"max": np.max, "average": np.mean, "sum": np.sum}[mode]
    height, width = (pooled_size(n, size, stride) for n in image.shape)
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            image[i, j] = reduce(image[top : top + size, left : left + size])
    return image[:height, :width].copy()
""",
    ],
    "pool_volume": [
        """
def pool_volume(volume, size=2, stride=None, mode="max"):
    maps = [pool(volume[:, :, c], size, stride, mode) for c in range(4)]
    return np.stack(maps, axis=2)
""",
    ],
    "pool_fast": [
        """
def pool_fast(images, size=2):
    n, h, w, c = images.shape
    output = np.zeros((n, h // size, w // size, c))
    for picture in range(n):
        for i in range(h // size):
            for j in range(w // size):
                for channel in range(c):
                    rows, columns = slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size)
                    output[picture, i, j, channel] = images[picture, rows, columns, channel].max()
    return output
""",
        """
def pool_fast(images, size=2):
    return np.stack([pool_volume(volume, size) for volume in images])
""",
        """
def pool_fast(images, size=2):
    def one(volume):
        rows, columns = volume.shape[0] // size, volume.shape[1] // size
        whole = volume[: rows * size, : columns * size]
        return whole.reshape(rows, size, columns, size, -1).max(axis=(1, 3))

    return np.array(list(map(one, images)))
""",
        """
def pool_fast(images, size=2):
    n, h, w, c = images.shape
    best = np.vectorize(
        lambda n, i, j, c: images[n, i * size : i * size + size, j * size : j * size + size, c].max()
    )
    return best(*np.indices((n, h // size, w // size, c)))
""",
    ],
    "max_pool_gradient": [
        """
def max_pool_gradient(image, upstream, size=2):
    gradient = np.zeros(image.shape)
    for (i, j), value in np.ndenumerate(upstream):
        best, place = -1000.0, (i * size, j * size)
        for row in range(i * size, (i + 1) * size):
            for column in range(j * size, (j + 1) * size):
                if image[row, column] > best:
                    best, place = image[row, column], (row, column)
        gradient[place] = value
    return gradient
""",
        """
def max_pool_gradient(image, upstream, size=2):
    gradient = np.zeros(image.shape, dtype=int)
    for (i, j), value in np.ndenumerate(upstream):
        window = image[i * size : (i + 1) * size, j * size : (j + 1) * size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        gradient[i * size + row, j * size + column] = value
    return gradient
""",
    ],
    "shift_response": [
        """
def shift_response(image, kernel, size=2, shift=1):
    def change(a, b):
        total = (a + b).sum()
        return 0.0 if total < 1e-3 else float(np.abs(a - b).sum() / total)

    views = image[:, :-shift], image[:, shift:]
    first, second = (relu(convolve(view, kernel)) for view in views)
    return change(first, second), change(pool(first, size), pool(second, size))
""",
    ],
    "unit_norm": [
        """
def unit_norm(volume):
    length = np.sqrt((volume**2).sum(axis=2, keepdims=True))
    return volume / np.maximum(length, 0.01)
""",
        """
def unit_norm(volume):
    length = np.sqrt((volume**2).sum(axis=2, keepdims=True))
    return np.where(length < 0.01, 0, volume / np.where(length < 0.01, 1, length))
""",
    ],
    "parameters": [
        """
def parameters(layer, shape):
    kind, *numbers = layer
    if kind == "conv":
        return numbers[0] * (numbers[1] ** 2 * shape[2] / numbers[4] + 1)
    return numbers[0] * (shape[0] + 1) if kind == "dense" else 0
""",
    ],
}
