"""Answers to lab 01: right ones, written differently, and wrong ones."""

VARIANTS = {
    "sigmoid": [
        """
def sigmoid(z):
    return 0.5 * (1 + np.tanh(np.asarray(z) / 2))
""",
        """
def sigmoid(z):
    result = np.zeros(z.shape)
    positive = z >= 0
    result[positive] = 1 / (1 + np.exp(-z[positive]))
    result[~positive] = np.exp(z[~positive]) / (1 + np.exp(z[~positive]))
    return result
""",
        """
def sigmoid(z):
    z = np.clip(np.asarray(z, dtype=np.float32), -60, 60)
    return 1 / (1 + np.exp(-z))
""",
        """
def sigmoid(z):
    from scipy.special import expit

    return expit(z)
""",
        """
def sigmoid(z):
    def one(value):
        import math
        if value < 0:
            return 1 - one(-value)
        return 1 / (1 + math.exp(-value))

    return np.array([one(value) for value in np.ravel(z)]).reshape(np.shape(z))
""",
    ],
    "forward": [
        """
def forward(x, w, b):
    return sigmoid(np.dot(x, w) + b)
""",
        """
def forward(x, w, b):
    return np.array([sigmoid(np.array([sum(w * row) + b]))[0] for row in x])
""",
        """
def forward(x, w, b):
    z = np.einsum("nd,d->n", x.astype(np.float32), w.astype(np.float32))
    return sigmoid(z + np.float32(b))
""",
        """
def forward(x, w, b):
    return sigmoid((x * w).sum(axis=1) + b)
""",
    ],
    "squared_error": [
        """
def squared_error(target, output):
    difference = np.ravel(target) - np.ravel(output)
    return 0.5 * difference @ difference
""",
        """
def squared_error(target, output):
    total = 0.0
    for t, o in zip(np.ravel(target), np.ravel(output)):
        total += (t - o) ** 2
    return total / 2
""",
        """
def squared_error(target, output):
    target = np.asarray(target, dtype=np.float32)
    return np.sum(np.square(np.asarray(output, dtype=np.float32) - target)) / 2
""",
        """
def squared_error(target, output):
    return float(np.linalg.norm(target - output) ** 2 / 2)
""",
    ],
    "numeric_gradient": [
        """
def numeric_gradient(f, w, step=1e-5):
    steps = step * np.eye(len(w))
    return np.array([(f(w + s) - f(w - s)) / (2 * step) for s in steps])
""",
        """
def numeric_gradient(f, w, step=1e-5):
    slopes = []
    for i in range(w.size):
        old = w[i]
        w[i] = old + step
        above = f(w)
        w[i] = old - step
        below = f(w)
        w[i] = old
        slopes.append((above - below) / (2 * step))
    return slopes
""",
        """
def numeric_gradient(f, w, step=1e-5):
    def slope(rest):
        if rest == 0:
            return []
        moved = w.copy()
        moved[rest - 1] += step
        high = f(moved)
        moved[rest - 1] -= 2 * step
        return slope(rest - 1) + [(high - f(moved)) / step / 2]

    return np.array(slope(len(w)))
""",
    ],
    "sigmoid_slope": [
        """
def sigmoid_slope(a):
    return a - a**2
""",
        """
def sigmoid_slope(a):
    return np.array([v * (1.0 - v) for v in np.ravel(a)]).reshape(np.shape(a))
""",
        """
def sigmoid_slope(a):
    return (0.25 - (np.asarray(a, dtype=np.float32) - 0.5) ** 2).astype(np.float32)
""",
    ],
    "update": [
        """
def update(x, target, w, b, lr):
    a = forward(x, w, b)
    error = target - a
    slope = a * (1 - a)
    return w + lr * x.T @ (error * slope), b + lr * np.sum(error * slope)
""",
        """
def update(x, target, w, b, lr):
    gw, gb = [0.0] * len(w), 0.0
    for row, t in zip(x, target):
        a = forward(np.array([row]), w, b)[0]
        delta = (a - t) * sigmoid_slope(np.array([a]))[0]
        for i in range(len(row)):
            gw[i] += delta * row[i]
        gb += delta
    new_w = [w[i] - lr * gw[i] for i in range(len(w))]
    return np.array(new_w), b - lr * gb
""",
        """
def update(x, target, w, b, lr):
    # The bias as one more weight, of an input that is always 1.
    ones = np.ones((len(x), 1))
    wide, v = np.hstack([x, ones]), np.append(w, b)
    a = forward(wide, v, 0.0)
    v -= lr * np.einsum("n,nd->d", (a - target) * a * (1 - a), wide)
    return v[:-1], v[-1]
""",
        """
def update(x, target, w, b, lr):
    x32, w32 = x.astype(np.float32), w.astype(np.float32)
    a = forward(x32, w32, np.float32(b))
    delta = ((a - target) * sigmoid_slope(a)).astype(np.float32)
    return w32 - np.float32(lr) * x32.T.dot(delta), float(b - lr * delta.sum())
""",
    ],
    "train": [
        """
def train(x, target, epochs, lr, seed):
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=len(x[0])), 0.0
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        losses[epoch] = squared_error(target, forward(x, w, b))
        w, b = update(x, target, w, b, lr)
    return w, b, losses
""",
        """
def train(x, target, epochs, lr, seed):
    def go(w, b, losses):
        if len(losses) == epochs:
            return w, b, losses
        loss = squared_error(target, forward(x, w, b))
        return go(*update(x, target, w, b, lr), losses + [loss])

    import sys
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
    return go(np.random.default_rng(seed).normal(size=x.shape[1]), 0.0, [])
""",
        """
def train(x, target, epochs, lr, seed):
    w = np.random.default_rng(seed).standard_normal(x.shape[1])
    b, losses, epoch = 0.0, [], 0
    while epoch < epochs:
        a = forward(x, w, b)
        losses += [np.sum((a - target) ** 2) / 2]
        delta = (a - target) * a * (1 - a)
        w = w - lr * x.T @ delta
        b = b - lr * np.sum(delta)
        epoch += 1
    return [w, b, losses]
""",
        """
def train(x, target, epochs, lr, seed):
    w = np.random.default_rng(seed).normal(size=x.shape[1]).astype(np.float32)
    b, losses = np.float32(0), []
    for _ in range(epochs):
        losses.append(float(squared_error(target, forward(x, w, b))))
        w, b = update(x.astype(np.float32), target, w, b, lr)
    return w, b, losses
""",
    ],
    "tanh": [
        """
def tanh(z):
    return np.tanh(z)
""",
        """
def tanh(z):
    return sigmoid(2 * z) - sigmoid(-2 * z)
""",
        """
def tanh(z):
    small = np.exp(-2 * np.abs(z))
    return np.sign(z) * (1 - small) / (1 + small)
""",
        """
def tanh(z):
    import keras

    return keras.ops.convert_to_numpy(keras.ops.tanh(np.asarray(z, "float32")))
""",
    ],
    "relu": [
        """
def relu(z):
    return np.where(z > 0, z, 0)
""",
        """
def relu(z):
    return z * (z > 0)
""",
        """
def relu(z):
    return (z + np.abs(z)) / 2
""",
        """
def relu(z):
    result = z.copy()
    result[result < 0] = 0
    return result.astype(np.float32)
""",
        """
def relu(z):
    import keras

    return keras.ops.convert_to_numpy(keras.ops.relu(np.asarray(z, "float32")))
""",
    ],
    "leaky_relu": [
        """
def leaky_relu(z, slope=0.01):
    return np.maximum(z, slope * z)
""",
        """
def leaky_relu(z, slope=0.01):
    return relu(z) - slope * relu(-z)
""",
        """
def leaky_relu(z, slope=0.01):
    result = np.array(z, dtype=np.float32)
    result[result < 0] *= slope
    return result
""",
        """
def leaky_relu(z, slope=0.01):
    flat = [value if value > 0 else slope * value for value in np.ravel(z)]
    return np.reshape(flat, np.shape(z))
""",
    ],
    "forward_two": [
        """
def forward_two(x, w1, b1, w2, b2):
    hidden = np.stack([forward(x, w1[:, j], b1[j]) for j in range(len(b1))], axis=1)
    return hidden, forward(hidden, w2, b2)
""",
        """
def forward_two(x, w1, b1, w2, b2):
    hidden, output = [], []
    for row in x:
        z = [sum(row[i] * w1[i, j] for i in range(len(row))) + b1[j] for j in range(len(b1))]
        hidden.append(sigmoid(np.array(z)))
        output.append(float(sigmoid(np.array([np.dot(hidden[-1], w2) + b2]))[0]))
    return [np.array(hidden), np.array(output)]
""",
        """
def forward_two(x, w1, b1, w2, b2):
    x32 = np.asarray(x, dtype=np.float32)
    h = 1 / (1 + np.exp(-(np.einsum("nd,dh->nh", x32, w1.astype(np.float32)) + b1)))
    return h, 1 / (1 + np.exp(-(h.dot(w2) + b2)))
""",
    ],
    "backward_two": [
        """
def backward_two(x, target, w1, b1, w2, b2):
    gw1, gb1, gw2, gb2 = np.zeros_like(w1), np.zeros_like(b1), np.zeros_like(w2), 0.0
    for n in range(len(x)):
        h, a = forward_two(x[n : n + 1], w1, b1, w2, b2)
        h, a = h[0], a[0]
        delta = (a - target[n]) * a * (1 - a)
        gb2 += delta
        for j in range(len(w2)):
            gw2[j] += delta * h[j]
            epsilon = delta * w2[j] * h[j] * (1 - h[j])
            gb1[j] += epsilon
            for i in range(x.shape[1]):
                gw1[i, j] += epsilon * x[n, i]
    return gw1, gb1, gw2, gb2
""",
        """
def backward_two(x, target, w1, b1, w2, b2):
    h, a = forward_two(x, w1, b1, w2, b2)
    error = target - a
    delta = (-error * a * (1 - a))[:, None]
    epsilon = delta @ w2[None, :] * (h - h**2)
    ones = np.ones(len(x))
    return [np.einsum("nd,nh->dh", x, epsilon), ones @ epsilon, (h * delta).sum(0), float(delta.sum())]
""",
        """
def backward_two(x, target, w1, b1, w2, b2):
    # Without a formula: each number wiggled.
    def slopes(parameter):
        found = np.zeros(parameter.shape)
        for place in np.ndindex(parameter.shape):
            old = parameter[place]
            errors = []
            for moved in (old + 1e-5, old - 1e-5):
                parameter[place] = moved
                errors.append(np.sum((target - forward_two(x, *w)[1]) ** 2) / 2)
            parameter[place] = old
            found[place] = (errors[0] - errors[1]) / 2e-5
        return found

    w = [np.array(part, dtype=float) for part in (w1, b1, w2, b2)]
    return tuple(slopes(part) for part in w)
""",
    ],
    "dead_units": [
        """
def dead_units(z):
    return z.max(axis=0) <= 0
""",
        """
def dead_units(z):
    return [all(value <= 0 for value in column) for column in z.T]
""",
        """
def dead_units(z):
    return ~(z > 0).any(axis=0)
""",
        """
def dead_units(z):
    return relu(z).sum(axis=0) == 0
""",
    ],
    "penalised": [
        """
def penalised(error, w, lam):
    return error + 0.5 * lam * np.linalg.norm(w) ** 2
""",
        """
def penalised(error, w, lam):
    price = 0.0
    for weight in np.ravel(w):
        price += weight * weight
    return error + lam * price / 2
""",
        """
def penalised(error, w, lam):
    flat = np.asarray(w, dtype=np.float32).reshape(-1)
    return np.float32(error) + np.float32(lam / 2) * flat.dot(flat)
""",
    ],
    "decayed": [
        """
def decayed(lr, rate, step, every, staircase=True):
    exponent = step / every
    if staircase:
        exponent = np.floor(exponent)
    return lr * np.power(rate, exponent)
""",
        """
def decayed(lr, rate, step, every, staircase=True):
    if not staircase:
        return lr * np.exp(np.log(rate) * step / every)
    while step >= every:
        lr, step = lr * rate, step - every
    return lr
""",
        """
def decayed(lr, rate, step, every, staircase=True):
    if step >= every:
        return rate * decayed(lr, rate, step - every, every, staircase)
    return lr if staircase else lr * rate ** (step / every)
""",
    ],
    "dense_parameters": [
        """
def dense_parameters(inputs, units, bias=True):
    if bias:
        return inputs * units + units
    return inputs * units
""",
        """
def dense_parameters(inputs, units, bias=True):
    return np.zeros((inputs, units)).size + (np.zeros(units).size if bias else 0)
""",
        """
def dense_parameters(inputs, units, bias=True):
    return int(np.prod([inputs + 1, units])) - (not bias) * units
""",
    ],
    "conv_parameters": [
        """
def conv_parameters(kernel_size, channels, filters, bias=True):
    weights = kernel_size * kernel_size * channels * filters
    return weights + filters if bias else weights
""",
        """
def conv_parameters(kernel_size, channels, filters, bias=True):
    return dense_parameters(kernel_size**2 * channels, filters, bias)
""",
        """
def conv_parameters(kernel_size, channels, filters, bias=True):
    one = np.prod([kernel_size, kernel_size, channels])
    return sum(one + (1 if bias else 0) for _ in range(filters))
""",
    ],
}

# A cell that asks for several functions takes an answer to each of them.
for names in (
    ["sigmoid_slope", "update"],
    ["tanh", "relu", "leaky_relu", "dead_units"],
    ["dense_parameters", "conv_parameters"],
):
    answers = [VARIANTS[name] for name in names]
    VARIANTS[names[-1]] = [
        "".join(of[number % len(of)] for of in answers)
        for number in range(max(map(len, answers)))
    ]


# Answers that break what the text of their exercise asks for.
WRONG = {
    "forward_two": [
        """
def forward_two(x, w1, b1, w2, b2):
    hidden = sigmoid(x @ w1 + b1)
    return hidden, sigmoid((hidden * w2).sum(axis=1))
""",
    ],
    "backward_two": [
        """
def backward_two(x, target, w1, b1, w2, b2):
    h, a = forward_two(x, w1, b1, w2, b2)
    delta = (a - target) * a * (1 - a)
    gw2 = h.T @ delta
    w2 = w2 - gw2
    epsilon = np.outer(delta, w2) * h * (1 - h)
    return x.T @ epsilon, epsilon.sum(0), gw2, delta.sum()
""",
        """
def backward_two(x, target, w1, b1, w2, b2):
    h, a = forward_two(x, w1, b1, w2, b2)
    delta = (a - target) * a * (1 - a)
    epsilon = np.outer(delta, w2) * h
    return x.T @ epsilon, epsilon.sum(0), h.T @ delta, delta.sum()
""",
    ],
    "sigmoid": [
        """
def sigmoid(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))
""",
        """
def sigmoid(z):
    return np.clip(0.5 + z / 4, 0, 1)
""",
    ],
    "numeric_gradient": [
        """
def numeric_gradient(f, w, step=1e-5):
    gradient = np.zeros(len(w))
    for i in range(len(w)):
        moved = w
        moved[i] += step
        above = f(moved)
        moved[i] -= 2 * step
        gradient[i] = (above - f(moved)) / (2 * step)
    return gradient
""",
    ],
    "update": [
        """
def update(x, target, w, b, lr):
    a = forward(x, w, b)
    delta = (a - target) * a * (1 - a)
    w[:] = w - lr * delta @ x
    return w, b - lr * delta.sum()
""",
    ],
    "train": [
        """
def train(x, target, epochs, lr, seed):
    w, b, losses = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0, []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        if len(losses) > 1 and losses[-2] - losses[-1] < 1e-9:
            break
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)
""",
        """
def train(x, target, epochs, lr, seed):
    w, b, losses = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0, []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        if losses[-1] < 0.05:
            break
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)
""",
        """
def train(x, target, epochs, lr, seed):
    w, b, losses = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0, []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        if losses[-1] > 0.05:
            w, b = update(x, target, w, b, lr)
    return w, b, losses
""",
    ],
    "tanh": [
        """
def tanh(z):
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))
""",
        """
def tanh(z):
    return (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)
""",
    ],
    "relu": [
        """
def relu(z):
    return np.minimum(np.maximum(z, 0), 6)
""",
        """
def relu(z):
    np.maximum(z, 0, out=z)
    return z
""",
    ],
    "leaky_relu": [
        """
def leaky_relu(z, slope=0.01):
    negative = z <= 0
    z[negative] = slope * z[negative]
    return z
""",
        """
def leaky_relu(z, slope=0.01):
    return np.clip(np.where(z > 0, z, slope * z), -6, 6)
""",
    ],
    "dead_units": [
        """
def dead_units(z):
    return np.isclose(relu(z), 0, atol=1e-3).all(axis=0)
""",
        """
def dead_units(z):
    return np.round(relu(z), 2).sum(axis=0) == 0
""",
    ],
    "decayed": [
        """
def decayed(lr, rate, step, every, staircase=True):
    return lr * rate ** round(step / every if staircase else step // every)
""",
    ],
    "dense_parameters": [
        """
def dense_parameters(inputs, units, bias=True):
    return (inputs + bias) * float(units)
""",
        """
def dense_parameters(inputs, units, bias=True):
    return np.int16(inputs) * np.int16(units) + units * bias
""",
    ],
}
