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
    "roc_auc": [
        """
def roc_auc(positive, scores):
    from sklearn.metrics import roc_auc_score

    if len(set(positive.tolist())) < 2:
        raise ValueError("one class is missing")
    return roc_auc_score(positive, scores)
""",
        """
def roc_auc(positive, scores):
    from scipy.stats import rankdata

    p = positive.sum()
    n = len(positive) - p
    if p == 0 or n == 0:
        raise ValueError
    return (rankdata(scores)[positive].sum() - p * (p + 1) / 2) / (p * n)
""",
        """
def roc_auc(positive, scores):
    ups = [s for s, p in zip(scores, positive) if p]
    downs = [s for s, p in zip(scores, positive) if not p]
    if not ups or not downs:
        raise ValueError("needs both")
    won = sum(1.0 if u > d else 0.5 if u == d else 0.0 for u in ups for d in downs)
    return won / (len(ups) * len(downs))
""",
    ],
    "calibration_error": [
        """
def calibration_error(labels, probabilities, bins=10):
    return study.calibration_error(labels, probabilities, bins)
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
    return study.mcnemar(first_right, second_right)
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
def vote(probabilities):
    return np.argmax(sum(probabilities), axis=-1)
""",
        """
def vote(probabilities):
    return np.array([np.argmax(row) for row in np.einsum("mnc->nc", probabilities)])
""",
        """
def vote(probabilities):
    return np.average(probabilities, axis=0).argmax(-1)
""",
    ],
}
