"""Answers to lab 02: right ones, written differently, and wrong ones."""

VARIANTS = {
    "response": [
        """
def response(patch, kernel):
    total = 0.0
    for a in range(len(kernel)):
        for b in range(len(kernel[0])):
            total += float(patch[a][b]) * float(kernel[a][b])
    return total
""",
        """
def response(patch, kernel):
    return np.vdot(np.asarray(patch, np.float32), np.asarray(kernel, np.float32))
""",
        """
def response(patch, kernel):
    return np.einsum("ab,ab->", patch.astype(float), kernel.astype(float))
""",
        """
def response(patch, kernel):
    return sum(float(x) * w for x, w in zip(patch.flatten(), kernel.flatten().tolist()))
""",
    ],
    "balanced": [
        """
def balanced(kernel):
    return kernel - np.mean(kernel)
""",
        """
def balanced(kernel):
    flat = [float(w) for row in kernel for w in row]
    mean = sum(flat) / len(flat)
    return [[float(w) - mean for w in row] for row in kernel]
""",
        """
def balanced(kernel):
    result = np.array(kernel, dtype=np.float32)
    result -= result.sum() / result.size
    return result
""",
    ],
    "output_size": [
        """
def output_size(n, kernel_size, stride=1, padding=0):
    starts = range(0, n + 2 * padding - kernel_size + 1, stride)
    if len(starts) == 0:
        raise ValueError(f"kernel {kernel_size} is longer than the axis {n + 2 * padding}")
    return len(starts)
""",
        """
import math

def output_size(n, kernel_size, stride=1, padding=0):
    room = n + 2 * padding - kernel_size
    if room < 0:
        raise ValueError("n=%d, padding=%d, kernel_size=%d do not fit" % (n, padding, kernel_size))
    return math.floor(room / stride) + 1
""",
        """
def output_size(n, kernel_size, stride=1, padding=0):
    if kernel_size > n + 2 * padding:
        raise ValueError(str(kernel_size) + " > " + str(n + 2 * padding))
    if kernel_size + stride > n + 2 * padding:
        return 1
    return 1 + output_size(n - stride, kernel_size, stride, padding)
""",
        """
def output_size(n, kernel_size, stride=1, padding=0):
    padded = n + padding * 2
    if padded < kernel_size:
        raise ValueError(f"{padded} < {kernel_size}")
    return np.int64((padded - kernel_size + stride) // stride)
""",
    ],
    "pad": [
        """
def pad(image, p):
    shape = list(image.shape)
    shape[0] += 2 * p
    shape[1] += 2 * p
    result = np.zeros(shape)
    result[p : p + image.shape[0], p : p + image.shape[1]] = image
    return result
""",
        """
def pad(image, p):
    above = np.zeros((p, *image.shape[1:]), image.dtype)
    tall = np.concatenate([above, image, above])
    side = np.zeros((tall.shape[0], p, *image.shape[2:]), image.dtype)
    return np.concatenate([side, tall, side], axis=1)
""",
        """
def pad(image, p):
    if image.ndim == 3:
        channels = [pad(image[:, :, c], p) for c in range(image.shape[2])]
        return np.stack(channels, axis=-1)
    return np.pad(image, p, mode="constant", constant_values=0).astype(np.float32)
""",
    ],
    "convolve": [
        """
def convolve(image, kernel, stride=1, padding=0):
    image = pad(image, padding).astype(float)
    k = kernel.shape[0]
    height = output_size(image.shape[0], k, stride)
    width = output_size(image.shape[1], k, stride)
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            for a in range(k):
                for b in range(k):
                    result[i, j] += image[i * stride + a, j * stride + b] * kernel[a, b]
    return result
""",
        """
def convolve(image, kernel, stride=1, padding=0):
    image, kernel = pad(image, padding).astype(np.float32), np.asarray(kernel, np.float32)
    k = len(kernel)
    height = output_size(image.shape[0], k, stride)
    width = output_size(image.shape[1], k, stride)
    result = np.zeros((height, width), np.float32)
    for a in range(k):
        for b in range(k):
            shifted = image[a : a + (height - 1) * stride + 1 : stride]
            shifted = shifted[:, b : b + (width - 1) * stride + 1 : stride]
            result += kernel[a, b] * shifted
    return result
""",
        """
def convolve(image, kernel, stride=1, padding=0):
    from scipy.signal import correlate2d

    for n in image.shape:
        output_size(n, len(kernel), stride, padding)
    full = correlate2d(pad(image, padding).astype(float), np.asarray(kernel, float), mode="valid")
    return full[::stride, ::stride]
""",
        """
def convolve(image, kernel, stride=1, padding=0):
    k = len(kernel)
    rows = range(output_size(image.shape[0], k, stride, padding))
    columns = range(output_size(image.shape[1], k, stride, padding))
    padded = pad(image, padding)
    return np.array([
        [response(padded[i * stride :, j * stride :][:k, :k], kernel) for j in columns]
        for i in rows
    ])
""",
    ],
    "filter_bank": [
        """
def filter_bank():
    return {
        "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        "edge_1": np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]]),
        "edge_2": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        "edge_3": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "box_blur": 1 / 9 * np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
        "gaussian_blur": 1 / 16 * np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]),
    }
""",
        """
def filter_bank():
    bank = dict(
        gaussian_blur=np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16,
        box_blur=np.full((3, 3), 1 / 9, np.float32),
        identity=np.zeros((3, 3), np.float32),
        edge_1=np.zeros((3, 3), np.float32),
        edge_2=-4 * np.eye(3, dtype=np.float32),
    )
    bank["identity"][1, 1] = 1
    bank["edge_1"][::2, ::2] = [[1, -1], [-1, 1]]
    bank["edge_2"][0, 0] = bank["edge_2"][2, 2] = 0
    bank["edge_2"][[0, 1, 1, 2], [1, 0, 2, 1]] = 1
    bank["sharpen"] = bank["identity"] - bank["edge_2"]
    bank["edge_3"] = 9 * bank["identity"] - 1
    return bank
""",
        """
def filter_bank():
    rows = {
        "identity": (1, "000 010 000"),
        "box_blur": (9, "111 111 111"),
        "gaussian_blur": (16, "121 242 121"),
    }
    bank = {
        name: np.array([[int(d) for d in row] for row in text.split()]) / by
        for name, (by, text) in rows.items()
    }
    return bank | {
        "edge_1": np.matrix("1 0 -1; 0 0 0; -1 0 1").A,
        "edge_2": np.matrix("0 1 0; 1 -4 1; 0 1 0").A,
        "edge_3": np.matrix("-1 -1 -1; -1 8 -1; -1 -1 -1").A,
        "sharpen": np.matrix("0 -1 0; -1 5 -1; 0 -1 0").A,
    }
""",
    ],
    "kernel_gradient": [
        """
def kernel_gradient(image, difference):
    return convolve_rectangle(image, difference)


def convolve_rectangle(image, kernel):
    (height, width), (rows, columns) = kernel.shape, image.shape
    result = np.zeros((rows - height + 1, columns - width + 1))
    for a in range(len(result)):
        for b in range(len(result[0])):
            result[a, b] = (image[a : a + height, b : b + width] * kernel).sum()
    return result
""",
        """
def kernel_gradient(image, difference):
    k = image.shape[0] - difference.shape[0] + 1
    gradient = np.zeros((k, k))
    for i in range(len(difference)):
        for j in range(len(difference[0])):
            gradient += difference[i, j] * image[i : i + k, j : j + k]
    return gradient
""",
        """
def kernel_gradient(image, difference):
    windows = sliding_window_view(image, np.shape(difference))
    return np.einsum("abij,ij->ab", windows, difference)
""",
        """
def kernel_gradient(image, difference):
    from scipy.signal import correlate2d

    return correlate2d(image, difference, mode="valid").tolist()
""",
    ],
    "convolve_layer": [
        """
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    maps = []
    for f in range(filters.shape[-1]):
        total = bias[f]
        for c in range(volume.shape[-1]):
            total = total + np.asarray(convolve(volume[:, :, c], filters[:, :, c, f], stride, padding))
        maps.append(total)
    return np.stack(maps, axis=-1)
""",
        """
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    padded = pad(volume, padding).astype(np.float32)
    k = filters.shape[0]
    windows = sliding_window_view(padded, (k, k), axis=(0, 1))[::stride, ::stride]
    return np.einsum("ijcab,abcf->ijf", windows, filters.astype(np.float32)) + bias.astype(np.float32)
""",
        """
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    k, _, channels, count = filters.shape
    height = output_size(volume.shape[0], k, stride, padding)
    width = output_size(volume.shape[1], k, stride, padding)
    padded = pad(volume, padding)
    rows = [
        padded[i * stride : i * stride + k, j * stride : j * stride + k].ravel()
        for i in range(height)
        for j in range(width)
    ]
    return (np.array(rows) @ filters.reshape(-1, count) + bias).reshape(height, width, count)
""",
    ],
    "unshared_parameters": [
        """
def unshared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    height, width, channels = shape
    height = output_size(height, kernel_size, stride, padding)
    width = output_size(width, kernel_size, stride, padding)
    weights = kernel_size * kernel_size * channels
    return height * width * filters * weights + height * width * filters
""",
        """
def unshared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    places = ((np.array(shape[:2]) + 2 * padding - kernel_size) // stride + 1).prod()
    return int(places * filters * (np.prod([kernel_size, kernel_size, shape[2]]) + 1))
""",
        """
def unshared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    total = 0
    for row in range(0, shape[0] + 2 * padding - kernel_size + 1, stride):
        for column in range(0, shape[1] + 2 * padding - kernel_size + 1, stride):
            total += filters * (kernel_size**2 * shape[2] + 1)
    return total
""",
    ],
    "shared_parameters": [
        """
def shared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    height, width, channels = shape
    return kernel_size * kernel_size * channels * filters + filters
""",
        """
def shared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    places = [output_size(n, kernel_size, stride, padding) for n in shape[:2]]
    return unshared_parameters(shape, kernel_size, filters, stride, padding) // (places[0] * places[1])
""",
        """
def shared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    weights = np.zeros((kernel_size, kernel_size, shape[-1], filters), dtype=bool)
    return weights.size + np.zeros(filters).size
""",
    ],
    "receptive_field": [
        """
def receptive_field(layers):
    field = 1
    for kernel_size, stride in reversed(layers):
        field = (field - 1) * stride + kernel_size
    return field
""",
        """
def receptive_field(layers):
    if not layers:
        return 1
    (kernel_size, stride), *rest = layers
    return kernel_size + stride * (receptive_field(rest) - 1)
""",
        """
def receptive_field(layers):
    strides = [stride for _, stride in layers]
    jumps = np.concatenate([[1], np.cumprod(strides)]).astype(int)
    return 1 + sum((k - 1) * jump for (k, _), jump in zip(layers, jumps))
""",
    ],
    "convolve_fast": [
        """
def convolve_fast(image, kernel, stride=1, padding=0):
    windows = sliding_window_view(pad(image, padding), kernel.shape)[::stride, ::stride]
    return (windows * kernel.astype(float)).sum(axis=(-2, -1))
""",
        """
def convolve_fast(image, kernel, stride=1, padding=0):
    image = pad(image, padding).astype(np.float32)
    height = output_size(image.shape[0], len(kernel), stride)
    width = output_size(image.shape[1], len(kernel), stride)
    result = np.zeros((height, width), np.float32)
    for a, row in enumerate(kernel):
        for b, weight in enumerate(row):
            part = image[a : a + (height - 1) * stride + 1, b : b + (width - 1) * stride + 1]
            result += np.float32(weight) * part[::stride, ::stride]
    return result
""",
        """
def convolve_fast(image, kernel, stride=1, padding=0):
    windows = sliding_window_view(pad(image, padding), kernel.shape)[::stride, ::stride]
    height, width, k, _ = windows.shape
    return (windows.reshape(height * width, k * k) @ kernel.ravel().astype(float)).reshape(height, width)
""",
        """
def convolve_fast(image, kernel, stride=1, padding=0):
    import keras

    maps = keras.ops.conv(
        pad(image, padding).astype("float32")[None, :, :, None],
        kernel.astype("float32")[:, :, None, None],
        strides=stride,
        padding="valid",
        data_format="channels_last",
    )
    return maps[0, :, :, 0]
""",
    ],
    "convolve_batch": [
        """
def convolve_batch(volumes, filters, bias, stride=1, padding=0):
    padded = np.stack([pad(volume, padding) for volume in volumes]).astype("float32")
    maps = keras.ops.conv(padded, filters, stride, "valid", data_format="channels_last")
    return keras.ops.convert_to_numpy(maps) + bias
""",
        """
def convolve_batch(volumes, filters, bias, stride=1, padding=0):
    k, _, channels, count = filters.shape
    layer = keras.layers.Conv2D(count, k, strides=stride, data_format="channels_last")
    padded = keras.layers.ZeroPadding2D(padding, data_format="channels_last")(volumes)
    layer.build(padded.shape)
    layer.set_weights([filters, bias])
    return layer(padded)
""",
        """
def convolve_batch(volumes, filters, bias, stride=1, padding=0):
    return np.stack([convolve_layer(volume, filters, bias, stride, padding) for volume in volumes])
""",
    ],
}


# Answers that break what the text of their exercise asks for.
WRONG = {
    "kernel_gradient": [
        """
def kernel_gradient(image, difference):
    k = 3
    gradient = np.zeros((k, k))
    for a in range(k):
        for b in range(k):
            part = image[a : a + len(difference), b : b + len(difference[0])]
            gradient[a, b] = (part * difference[: len(part), : len(part[0])]).sum()
    return gradient
""",
    ],
    "response": [
        """
def response(patch, kernel):
    return float((patch.astype(np.float16) * kernel.astype(np.float16)).sum())
""",
        """
def response(patch, kernel):
    return float((patch.astype(np.int8) * np.asarray(kernel, float)).sum())
""",
    ],
    "balanced": [
        """
def balanced(kernel):
    kernel = np.asarray(kernel, dtype=float)
    kernel -= kernel.mean()
    return kernel
""",
        """
def balanced(kernel):
    return kernel - kernel.mean() if kernel.sum() else kernel
""",
        """
def balanced(kernel):
    return (kernel - kernel.mean()).astype(kernel.dtype)
""",
    ],
    "output_size": [
        """
def output_size(n, kernel_size, stride=1, padding=0):
    if n < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n}")
    return (n + 2 * padding - kernel_size) // stride + 1
""",
        """
def output_size(n, kernel_size, stride=1, padding=0):
    if n + 2 * padding <= kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + 2 * padding}")
    return (n + 2 * padding - kernel_size) // stride + 1
""",
    ],
    "pad": [
        """
def pad(image, p):
    if p == 0:
        return image
    return np.pad(image, [(p, p), (p, p)] + [(0, 0)] * (image.ndim - 2))
""",
        """
def pad(image, p):
    if p == 0:
        return image[:]
    return np.pad(image, [(p, p), (p, p)] + [(0, 0)] * (image.ndim - 2))
""",
        """
def pad(image, p):
    frame = np.full((image.shape[0] + 2 * p, image.shape[1] + 2 * p, *image.shape[2:]), 1e-3)
    frame[p : p + image.shape[0], p : p + image.shape[1]] = image
    return frame
""",
    ],
    "convolve": [
        """
def convolve(image, kernel, stride=1, padding=0):
    k, padded = len(kernel), np.pad(np.asarray(image, float), padding)
    if len(padded) < k:
        raise ValueError("it does not fit")
    rows = range(0, padded.shape[0] - k + 1, stride)
    columns = range(0, padded.shape[1] - k + 1, stride)
    return np.array(
        [[np.sum(padded[r : r + k, c : c + k] * kernel) for c in columns] for r in rows]
    )
""",
        """
def convolve(image, kernel, stride=1, padding=0):
    k, padded = len(kernel), np.pad(image, padding)
    height, width = (output_size(n, k, stride, padding) for n in image.shape)
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            window = padded[i * stride : i * stride + k, j * stride : j * stride + k]
            result[i, j] = (window * kernel).sum()
    return result
""",
    ],
    "filter_bank": [
        """
def filter_bank():
    identity = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return {
        "identity": identity,
        "edge_1": np.outer([1, 0, -1], [1, 0, -1]),
        "edge_2": laplacian,
        "edge_3": 9 * identity - 1,
        "sharpen": identity - laplacian,
        "box_blur": np.full((3, 3), 0.11),
        "gaussian_blur": np.outer([1, 2, 1], [1, 2, 1]) / 16,
    }
""",
    ],
    "convolve_layer": [
        """
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    k, count = filters.shape[0], filters.shape[3]
    height, width = (output_size(n, k, stride, padding) for n in volume.shape[:2])
    padded = pad(volume, padding).astype(np.int8)
    result = np.zeros((height, width, count))
    for i in range(height):
        for j in range(width):
            window = padded[i * stride : i * stride + k, j * stride : j * stride + k]
            result[i, j] = np.tensordot(window, filters, axes=3) + bias
    return result
""",
        """
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    maps = [convolve(volume[:, :, 0], filters[:, :, 0, f], stride, padding) for f in range(len(bias))]
    return np.stack(maps, axis=2) + bias
""",
    ],
    "receptive_field": [
        """
def receptive_field(layers):
    field, jump = layers[0][0], layers[0][1]
    for kernel_size, stride in layers[1:]:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field
""",
    ],
}
