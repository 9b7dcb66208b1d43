# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "7 · Six networks, compared"
#     summary: Compare six networks on pictures of clothes, and find out which differences are real.
#     minutes: 150
#     sample_mistakes: [compares_all_pictures]
#     study:
#       dataset: fashion_mnist
#       networks: [two_layer, one_conv, three_conv, four_conv, vgg, vgg_batch_norm]
#       augment: random_affine
#       seeds: [0, 1, 2]
#       epochs: 30
# ---

# %% [markdown]
# # 7 · Six networks, compared like a scientist
#
# "Our network reaches 93 %, theirs 92 %." Is ours better? Perhaps. Perhaps
# the next seed says the opposite, or other test pictures do. In this lab you
# compare six networks on the same pictures of clothes, and you learn to say
# which of their differences are real.
#
# **You will be able to**
#
# - judge probabilities, and not only answers: log loss, AUC, calibration;
# - put an interval around an accuracy, and know what it covers;
# - tell with a paired test whether two networks differ, and correct for the
#   number of pairs;
# - say how much a score flatters that was chosen by the test pictures;
# - search for good settings at random, and say why that beats a grid;
# - find what all networks get wrong, and let them vote.
#
# **Time:** about two and a half hours. The longest training takes three
# quarters of a minute on any machine that has little else to do, and there
# are six of them.
#
# **Builds on:** lab 04 (softmax, cross-entropy), lab 05 (augmentation, batch
# normalisation), lab 06 (confusion matrix, F1).

# %%
import matplotlib.pyplot as plt
import numpy as np

from labkit import check, data, models, plots, profile, study

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## 1. The clothes
#
# Fashion-MNIST has the form of MNIST: 60,000 pictures to train with, 10,000
# to test with, 28x28 pixels, ten classes. It is harder: a shirt and a coat
# differ less than a 1 and a 7.

# %%
d = data.load("fashion_mnist")
d

# %%
of_each = [np.flatnonzero(d.train_labels == c)[:2] for c in range(len(d.class_names))]
shown = np.concatenate(of_each)
plots.image_grid(
    d.train_images[shown],
    d.train_labels[shown],
    d.class_names,
    columns=10,
    title=d.title("Two pictures of each class"),
)

# %% [markdown]
# ## 2. The six networks
#
# The study that this lab follows compares six networks and prints how many
# parameters each has. Count with it:
#
# | network | the study prints | counted |
# |---|---|---|
# | two layers: 784-512-128-10 | 468,474 | 468,874 |
# | one convolution | 693,962 | 693,962 |
# | three convolutions | 241,546 | 241,546 |
# | four, batch normalisation | 241,546 | 591,274 |
# | VGG: nine, four poolings | 241,546 | 746,986 |
# | VGG, batch normalisation | 241,546 | 749,482 |
#
# The first is most likely a slip of the pen. The last three cannot be right:
# they repeat the number of another network. The study does not say how wide
# those three are, so their widths, and the counts, are ours.

# %%
networks = ("two_layer", "one_conv", "three_conv", "four_conv", "vgg", "vgg_batch_norm")
models.three_conv().summary()

# %% [markdown]
# Now they are trained. `labkit study 07` trains all six, without and with
# augmentation, with three seeds each: 36 trainings, hours on two cores. The
# next cell does its quick form: a part of the pictures, one seed, no
# augmentation, three quarters of a minute for each network at most. What is
# trained is kept, so run the cell again and it is there at once. The test
# pictures are only measured; what we choose by are the held-out pictures.

# %%
plan = study.Plan(
    "fashion_mnist",
    networks,
    seeds=profile.pick(quick=(0,), full=(0, 1, 2)),
    epochs=profile.pick(quick=8, full=30, grading=1),
    minutes=profile.pick(quick=0.75, full=None),
    pictures=profile.pick(quick=12_000, full=None, grading=200),
)
results = study.run(plan, "study", dataset=d)

# %%
results.summary()

# %%
results.curves()

# %% [markdown]
# The study's own accuracies on the test pictures are 88, 91, 91, 92, 93 and
# 95 %, from one training each, on all 60,000 pictures. The quick form learns
# from a fifth of them, so expect less.
#
# ## 3. Probabilities, judged
#
# Accuracy asks only which probability is the largest. The **log loss** asks
# how much of it the truth got:
#
# $$\text{log loss} = -\frac{1}{N} \sum_{n=1}^{N} \ln p_{n, t_n}$$
#
# where $t_n$ is the true class. A network that is sure and wrong pays dearly.
#
# ### Exercise: `log_loss`
#
# A probability of 0 would cost infinitely much. Raise it to $10^{-15}$ first.


# %% solution="log_loss"
def log_loss(labels, probabilities):
    """The mean of -ln of the true class's probability.

    labels: whole numbers (N,). probabilities: (N, C).
    Returns a number; probabilities below 1e-15 count as 1e-15.
    """
    ### BEGIN SOLUTION
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(true, 1e-15))))
    ### END SOLUTION


# %% check="log_loss" points=1
three = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
check("three pictures", log_loss(np.array([0, 2, 1]), three))
check("a probability of 0", log_loss(np.array([0, 1]), np.array([[0.0, 1.0]] * 2)))
### BEGIN HIDDEN TESTS
rng = check.rng()
drawn = rng.dirichlet([1.0] * 4, 30)
check("thirty pictures", log_loss(rng.integers(0, 4, 30), drawn))
### END HIDDEN TESTS


# %% mistakes="log_loss"
def forgets_the_sign(labels, probabilities):
    """Logarithms of probabilities are negative. A loss is positive."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.maximum(true, 1e-15))))


def sums_the_pictures(labels, probabilities):
    """You added the pictures up. Take their mean."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.sum(np.log(np.maximum(true, 1e-15))))


def takes_the_largest(labels, probabilities):
    """You took the largest probability. Take that of the true class."""
    return float(-np.mean(np.log(np.maximum(probabilities.max(axis=1), 1e-15))))


# %% [markdown]
# ### How well does a score order?
#
# Draw a positive and a negative picture. How often has the positive one the
# higher score? That share is the **AUC**, the area under the ROC curve. A tie
# counts half. 1 is perfect order, 0.5 is chance.
#
# ### Exercise: `roc_auc`
#
# <details><summary>A nudge</summary>
#
# `scores[positive][:, None] > scores[~positive]` compares every pair.
# </details>


# %% solution="roc_auc"
def roc_auc(positive, scores):
    """The share of pairs, one positive and one negative, in the right order.

    positive: booleans (N,). scores: numbers (N,).
    Returns a number from 0 to 1; a tie counts half. ValueError where there is
    no positive or no negative.
    """
    ### BEGIN SOLUTION
    above, below = scores[positive][:, None], scores[~positive]
    if not above.size or not below.size:
        raise ValueError("expected both positives and negatives")
    return float(np.mean((above > below) + 0.5 * (above == below)))
    ### END SOLUTION


# %% check="roc_auc" points=2
who = np.array([True, False, True, False, False])
check("five scores", roc_auc(who, np.array([0.9, 0.4, 0.35, 0.2, 0.1])))
check("with a tie", roc_auc(who, np.array([0.9, 0.4, 0.4, 0.2, 0.1])))
### BEGIN HIDDEN TESTS
try:
    said = roc_auc(np.array([True, True]), np.array([0.1, 0.2]))
except Exception as error:
    said = type(error).__name__
check("no negative", said)
rng = check.rng()
whose = rng.permutation(np.arange(40) < 12)
check("forty scores", roc_auc(whose, rng.random(40) + 0.3 * whose))
check("forty with ties", roc_auc(whose, rng.integers(0, 6, 40) + 2.0 * whose))
### END HIDDEN TESTS


# %% mistakes="roc_auc"
def loses_the_ties(positive, scores):
    """A tie counts half, and you count it as wrong."""
    return float(np.mean(scores[positive][:, None] > scores[~positive]))


def orders_backwards(positive, scores):
    """You count the pairs in which the negative one has the higher score."""
    above, below = scores[positive][:, None], scores[~positive]
    return float(np.mean((above < below) + 0.5 * (above == below)))


# %% [markdown]
# ### Does 0.9 mean 90 %?
#
# Of all answers given with a probability near 0.9, about 90 of 100 should be
# right. Then the network is **calibrated**. Sort the pictures into bins by
# their highest probability. In each bin compare the share right with the mean
# of the highest probabilities. The mean gap, weighted by the pictures of each
# bin, is the **calibration error**.
#
# ### Exercise: `calibration_error`


# %% solution="calibration_error"
def calibration_error(labels, probabilities, bins=10):
    """The mean gap between confidence and share right, over bins.

    labels: whole numbers (N,). probabilities: (N, C).
    bins: so many of equal width from 0 to 1, by the highest probability.
    Returns a number from 0 to 1; an empty bin counts nothing.
    """
    ### BEGIN SOLUTION
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(np.sum((right - sure)[place == b])) for b in range(bins)]
    return float(sum(gaps) / len(labels))
    ### END SOLUTION


# %% check="calibration_error" points=2
four = np.array([[0.95, 0.05], [0.93, 0.07], [0.35, 0.65], [0.63, 0.37]])
check("four pictures", calibration_error(np.array([0, 0, 1, 1]), four))
check("two bins", calibration_error(np.array([0, 0, 1, 1]), four, bins=2))
### BEGIN HIDDEN TESTS
rng = check.rng()
drawn = rng.dirichlet([0.5] * 3, 80)
# Right where it doubts, and at random where it is sure: too doubtful here, too sure there.
doubts = drawn.max(axis=1) < 0.7
truth = np.where(doubts, drawn.argmax(axis=1), rng.integers(0, 3, 80))
check("eighty pictures", calibration_error(truth, drawn))
check("in five bins", calibration_error(truth, drawn, bins=5))
### END HIDDEN TESTS


# %% mistakes="calibration_error"
def forgets_the_bins(labels, probabilities, bins=10):
    """You compared the means of all pictures. Too sure here and too doubtful there cancel: use bins."""
    right = probabilities.argmax(axis=1) == labels
    return float(abs(np.mean(right) - np.mean(probabilities.max(axis=1))))


def weighs_bins_alike(labels, probabilities, bins=10):
    """A bin with one picture counts as much as one with a thousand. Weight them by their pictures."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return float(
        np.mean([abs(np.mean((right - sure)[place == b])) for b in np.unique(place)])
    )


# %% [markdown]
# ## 4. Is the difference real?
#
# ### An interval for a share
#
# Other test pictures would give another accuracy. **Wilson's interval** says
# how far the true share may lie from the measured one, $\hat p$ of $n$:
#
# $$\frac{\hat p + \frac{z^2}{2n} \pm z
# \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}}
# {1 + \frac{z^2}{n}}$$
#
# With $z = 1.96$ such intervals cover the truth 95 times of 100.
#
# ### Exercise: `wilson_interval`


# %% solution="wilson_interval"
def wilson_interval(right, n, z=1.96):
    """Wilson's interval for a share.

    right, n: whole numbers, so many of n. z: how wide.
    Returns (low, high).
    """
    ### BEGIN SOLUTION
    share = right / n
    middle = share + z**2 / (2 * n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)
    ### END SOLUTION


# %% check="wilson_interval" points=2
check("9 of 10", wilson_interval(9, 10))
check("9,300 of 10,000", wilson_interval(9300, 10_000))
check("none of 20", wilson_interval(0, 20))
### BEGIN HIDDEN TESTS
rng = check.rng()
pairs = [(int(rng.integers(5, n - 4)), n) for n in (30, 55, 90)]
check("three shares", [wilson_interval(*pair) for pair in pairs])
check("wider", [wilson_interval(*pair, z=2.58) for pair in pairs])
### END HIDDEN TESTS


# %% mistakes="wilson_interval"
def wald(right, n, z=1.96):
    """This is the textbook's p ± z·sqrt(p(1-p)/n). Of few pictures, or near 0 and 1, it is too short."""
    share = right / n
    reach = z * np.sqrt(share * (1 - share) / n)
    return share - reach, share + reach


def forgets_to_divide(right, n, z=1.96):
    """The numerator is right. Divide it by 1 + z²/n."""
    share = right / n
    middle = share + z**2 / (2 * n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


# %% [markdown]
# Does it cover as often as it says? Draw test sets of 200 pictures from a
# world in which the true share is known, and count.

# %%
drawn_right = np.random.default_rng(0).binomial(200, 0.93, 4000)
for name, interval in (("Wilson", wilson_interval),):
    ends = np.array([interval(int(right), 200) for right in drawn_right])
    covers = np.mean((ends[:, 0] <= 0.93) & (ends[:, 1] >= 0.93))
    print(f"{name}'s 95 % interval covers the truth in {covers:.1%} of 4,000 test sets")

# %% [markdown]
# ### The same pictures: McNemar's test
#
# Two networks saw the *same* test pictures. Where both are right, or both
# wrong, nothing is learnt about their difference. Only the pictures on which
# one is right and the other wrong count. Were the networks equally good, each
# of these would fall to either side like a fair coin. The **p-value** is the
# probability that so many coins, or a larger majority, lie on one side.
#
# ### Exercise: `mcnemar`
#
# <details><summary>A nudge</summary>
#
# `scipy.stats.binomtest(heads, coins).pvalue` is exact and two-sided.
# </details>


# %% solution="mcnemar"
def mcnemar(first_right, second_right):
    """The exact two-sided p-value of McNemar's test.

    first_right, second_right: booleans (N,), for the same pictures.
    Returns a number from 0 to 1; 1.0 where they differ on no picture.
    """
    ### BEGIN SOLUTION
    from scipy.stats import binomtest

    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)
    ### END SOLUTION


# %% check="mcnemar" points=3
one = np.array([True] * 10 + [False] * 5)
other = np.array([False] * 7 + [True] * 4 + [False] * 4)
check("seven against one", mcnemar(one, other))
check("no difference", mcnemar(one, one))
### BEGIN HIDDEN TESTS
check("the other way round", mcnemar(other, one))
rng = check.rng()
good, better = rng.random(60) < 0.6, rng.random(60) < 0.8
check("sixty pictures", mcnemar(good, better))
### END HIDDEN TESTS


# %% mistakes="mcnemar"
def compares_all_pictures(first_right, second_right):
    """You compared the two accuracies as if of different pictures. Look only at the pictures on which they differ."""
    from scipy.stats import fisher_exact

    n, a, b = len(first_right), int(first_right.sum()), int(second_right.sum())
    return float(fisher_exact([[a, n - a], [b, n - b]]).pvalue)


def looks_at_one_side(first_right, second_right):
    """Your test has one side: it asks only whether the second is better. Before you look, either may be."""
    from scipy.stats import binomtest

    a = int(np.sum(first_right & ~second_right))
    b = int(np.sum(second_right & ~first_right))
    if a + b == 0:
        return 1.0
    return float(binomtest(b, a + b, alternative="greater").pvalue)


# %% [markdown]
# Six networks make fifteen pairs. At a limit of 0.05, fifteen tests of equal
# networks find a "difference" more often than not. **Holm's correction** asks
# the smallest p-value to be 15 times smaller than the limit, the next 14
# times, and so on. The table does it.

# %%
results.pairs()

# %% [markdown]
# ### A question on differences
#
# 1. Network A gets 9,300 of 10,000 pictures right, B 9,310. They differ on 12
#    pictures, or on 900. In which case is B more likely better, and why?
# 2. McNemar's test says p = 0.001 for two trained networks. A friend trains
#    both again, and the order turns round. Who is wrong?

# %% [markdown] manual="differences" points=2
# **1 point**: on 12. Then B wins 11 of 12 coins, which is rare; of 900 it wins
# 455, which is what chance gives.
#
# **1 point**: nobody. The test compares these two trained networks, and holds
# the draw of the pictures; another seed is another network. To compare
# recipes, train each several times.
#
# **Model answer.** As above.

# %% [markdown]
# ### The best of six flatters
#
# Choose the network with the best test accuracy and report that accuracy: it
# is too high, because luck helped to choose it. Six equally good networks,
# each measured on pictures of its own, show by how much.

# %%
for n in (200, 1000, 10_000):
    scores = np.random.default_rng(0).binomial(n, 0.93, (5000, 6)) / n
    extra = scores.max(axis=1).mean() - 0.93
    print(
        f"{n:6,} test pictures: the best of six looks {100 * extra:.2f} points better"
    )

# %% [markdown]
# ## 5. What all of them get wrong
#
# ### Exercise: `vote`
#
# Let the networks vote: the class with the highest *mean* probability.


# %% solution="vote"
def vote(probabilities):
    """The class with the highest mean probability.

    probabilities: (models, N, C). Returns whole numbers (N,).
    """
    ### BEGIN SOLUTION
    return np.mean(probabilities, axis=0).argmax(axis=1)
    ### END SOLUTION


# %% check="vote" points=1
ballots = np.array(
    [[[0.9, 0.1], [0.4, 0.6]], [[0.4, 0.6], [0.3, 0.7]], [[0.4, 0.6], [0.6, 0.4]]]
)
check("three models, two pictures", vote(ballots))
### BEGIN HIDDEN TESTS
check("five models", vote(check.rng().dirichlet([0.6] * 4, (5, 40))))
### END HIDDEN TESTS


# %% mistakes="vote"
def counts_heads(probabilities):
    """You counted how many models name a class. A sure one should weigh more than a doubtful one: take the mean."""
    named = np.asarray(probabilities).argmax(axis=2)
    classes = np.asarray(probabilities).shape[2]
    return np.array([np.bincount(c, minlength=classes).argmax() for c in named.T])


def asks_the_surest(probabilities):
    """You followed the model that is surest. Take the mean of all."""
    return np.max(probabilities, axis=0).argmax(axis=1)


# %%
ballots_of_all = np.array([one.probabilities for one in results.outcomes])
single = max(one.accuracy for one in results.outcomes)
together = np.mean(vote(ballots_of_all) == results.outcomes[0].labels)
print(f"the best network alone {single:.2%}, all together {together:.2%}")

# %%
results.shared_errors_figure()

# %% [markdown]
# Look at them one by one. Shirts are taken for T-shirts and coats, ankle
# boots for sneakers and sandals. And some labels are simply wrong.
#
# ## Summary
#
# - Accuracy judges answers; log loss, AUC and calibration judge
#   probabilities.
# - An interval says how far the truth may lie. It covers what was drawn: the
#   pictures, or the seeds.
# - Two networks on the same pictures are compared by the pictures on which
#   they differ, and many pairs need a correction.
# - Who chooses by the test pictures reports luck.
#
# ## Sources
#
# - P. Singh: *Image classification using convolutional neural networks* (the
#   six networks). H. Xiao, K. Rasul, R. Vollgraf: *Fashion-MNIST*, 2017.
# - E. Wilson, 1927; Q. McNemar, 1947; S. Holm, 1979; C. Guo and others: *On
#   calibration of modern neural networks*, 2017.
