# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "6 · A competition"
#     summary: Recognise cartoon characters, hand in a Kaggle submission, and find out what the score is worth.
#     minutes: 165
#     run_seconds: [362, 434]
#     sample_mistakes: [swaps_rows_and_columns]
#     shows:
#       submission.csv: The file that goes to Kaggle.
#       confusion_matrix.png: "Which characters are taken for which, on held-out pictures: rows true, columns predicted."
#       first_layer_filters.png: What the filters of the first layer look for, as colour tiles.
# ---

# %% [markdown]
# # 6 · A competition: who is in the picture?
#
# Kaggle gives you a folder of pictures with names, a folder without, and a
# table to fill in. You train, you predict, you hand in the table, and one
# number comes back. The number is easy to get and easy to get wrong. In this
# lab you do both parts of the job: a good submission, and the questions
# behind its score.
#
# **You will be able to**
#
# - read pictures of any size and format, damaged ones too;
# - split pictures so that the held-out score can be believed, and say by how
#   much a careless split flatters;
# - train a network, write a submission and check it before you upload it;
# - foretell the score that the leaderboard will show;
# - compute a confusion matrix, precision, recall and F1 by hand, and read
#   from them what to do next;
# - look at the filters that the first layer has learned, and at the places of a
#   picture that an answer comes from.
#
# **Time**: about two and three-quarter hours: half an hour of reading, 5 to 10
# minutes for each of twelve exercises, the rest for your network and the
# questions. The longest training takes five minutes at most, on any machine
# that has little else to do.
#
# **Builds on** lab 02 (filters), lab 04 (softmax, one-hot) and lab 05
# (training on colour pictures, augmentation).

# %%
import csv
import io
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.metrics import confusion_matrix, f1_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from labkit import check, data, kaggle, models, plots, profile, training
from labkit.data import DamagedPicture
from labkit.data.pictures import read_picture

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## 1. What Kaggle gives you
#
# The competition is about characters of *The Simpsons*. Its data are four
# files:
#
# | file | what it holds |
# |---|---|
# | `train.zip` | `train/<character>/*.jpg`: the folder's name is the answer |
# | `test.zip` | `test/1.jpg`, `test/2.jpg`, ...: no answers |
# | `sampleSubmission.csv` | the form to fill in: `id,character`, one row for each test picture |
# | `character_name.lst` | how the characters' names are spelt |
#
# `data.load` reads them and brings every picture to the same size, because a
# network's input has a fixed shape. Stretching a picture to a square changes
# its proportions a little. Networks do not mind much.

# %%
size = profile.pick(quick=28, full=64)
d = data.load("simpsons", size=size)
d

# %%
classes = len(d.class_names)
x, y = d.train_images, d.train_labels
two_of_each = np.array([np.flatnonzero(y == label)[:2] for label in range(classes)])
plots.image_grid(
    x[two_of_each.ravel()],
    y[two_of_each.ravel()],
    d.class_names,
    columns=10,
    title=d.title("Two pictures of each character"),
)

# %%
plots.class_counts(
    y, d.class_names, title=d.title("Training pictures of each character")
)

# %% [markdown]
# And this is the form. Kaggle fills in the same name for everyone, so that
# you see what a row looks like. Handing it in as it is would be a valid
# submission, and a bad one.

# %%
with d.sample_submission.open(encoding="utf-8") as file:
    form = list(csv.reader(file))
print(*(",".join(row) for row in form[:4]), "...", sep="\n")
print(f"{len(form) - 1:,} rows for {len(d.test_images):,} test pictures")

# %% [markdown]
# ## 2. Files of every kind
#
# Pictures that were collected from the web or cut from films come as they
# are: some grey, some with transparency, some made for a printing press, some
# lying on their side with a note that they should be turned, some cut short
# by a broken download. A program that reads 20,000 of them must not stop at
# number 13,007.
#
# The next two cells make ten files, most of them of one picture, and read each
# back the way `data.load` does.


# %%
def saved(picture, form, **options):
    """The bytes of a picture file."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


picture = Image.fromarray(x[0]).resize((96, 64))
see_through = picture.convert("RGBA")
see_through.putalpha(
    Image.radial_gradient("L").resize((96, 64)).point(lambda v: 255 * (v < 180))
)
turn_me = Image.Exif()
turn_me[0x0112] = 6  # the orientation tag: "show me turned a quarter clockwise"
sixteen_bit = np.asarray(picture.convert("L")).astype(np.uint16) * 257

files = {
    "RGB": saved(picture, "JPEG"),
    "grey": saved(picture.convert("L"), "JPEG"),
    "CMYK, for printing": saved(picture.convert("CMYK"), "JPEG"),
    "16 colours": saved(picture.quantize(16), "PNG"),
    "transparent": saved(see_through, "PNG"),
    "16-bit grey": saved(Image.fromarray(sixteen_bit), "PNG"),
    "turned": saved(picture.rotate(90, expand=True), "JPEG", exif=turn_me),
    "cut short": saved(picture, "JPEG")[:-300],
    "a web page": b"<html>404 Not Found</html>",
    "empty": b"",
}

# %%
as_read = []
for kind, content in files.items():
    try:
        as_read.append(read_picture(content, size))
        print(
            f"{kind:20} {len(content):6,} bytes -> {as_read[-1].shape} {as_read[-1].dtype}"
        )
    except DamagedPicture as damage:
        as_read.append(np.full((size, size, 3), 128, np.uint8))
        print(f"{kind:20} {len(content):6,} bytes -> damaged: {damage.reason}")
plots.image_grid(
    as_read, list(files), title=d.title("One picture, ten files, as read"), columns=10
)

# %% [markdown]
# Everything becomes `(size, size, 3)`, `uint8`. Grey is repeated in all three
# channels, transparent parts are laid on white, the note "turn me" is obeyed.
# What cannot be decoded is not guessed:
#
# - a damaged **training** picture is left out, because a grey square named
#   after a character would teach nonsense;
# - a damaged **test** picture becomes a grey square, because its id must be
#   answered all the same. A row that is missing costs you the submission, a
#   row that is wrong costs one picture.

# %%
print(f"{len(d.damaged)} damaged pictures in this data")
for name, reason in d.damaged:
    print(f"  {name}: {reason}")

# %% [markdown]
# ## 3. Copies: the trap in the data
#
# The test pictures' answers are hidden, so you need a score of your own:
# train on a part of the training pictures, **hold out** the rest, and measure
# there. The held-out pictures must be *new* to the network, as most of Kaggle's
# are.
#
# But these pictures are frames of a film. One scene gives ten frames that
# look the same to you. If seven of them are trained on and three held out,
# the three are not new. The network has seen the answer.
#
# So we look for [**near-duplicates**](../glossary.md#near-duplicate) first.
# `near_duplicates` makes a **perceptual hash** of each picture: 64 bits that
# say of each coarse pattern of light and dark whether there is much of it or
# little. Saving a picture anew, resizing it or moving something small in it
# flips few bits. Where two pictures differ in at most 10 of the 64, they get
# the same **group** number, and so does everything that is joined by a chain
# of such pairs. (Two pictures that have nothing in common differ in about 32.)

# %%
groups = kaggle.near_duplicates(x)
group_sizes = np.bincount(groups)
print(f"{len(groups):,} pictures in {len(group_sizes):,} groups")
print(f"{np.sum(group_sizes[group_sizes > 1]):,} pictures have a near-duplicate")
largest = np.argsort(-group_sizes, kind="stable")[:3]
alike = np.concatenate([np.flatnonzero(groups == group)[:6] for group in largest])
plots.image_grid(
    x[alike],
    [f"group {group}" for group in groups[alike]],
    columns=9,
    title=d.title("The three largest groups"),
)

# %% [markdown]
# ### Exercise: `grouped_split`
#
# Write a split that keeps groups whole. Shuffle the *groups*, then take one
# after the other until enough *pictures* are held out.
#
# <details><summary>A nudge</summary>
#
# `names, sizes = np.unique(groups, return_counts=True)` gives each group and
# how many pictures it has. `np.cumsum` of the shuffled sizes tells how many
# pictures the first few groups have together. `np.isin(groups, chosen)` is
# true for every picture of a chosen group.
# </details>


# %% solution="grouped_split"
def grouped_split(groups, fraction=0.2, seed=0):
    """Split pictures into training and held-out ones, and keep groups whole.

    groups: whole numbers (N,). Pictures with the same number belong together.
    The numbers may have gaps.
    fraction: the share of the *pictures* to hold out; whole groups can meet it
    only up to one group more or less.
    seed: decides which groups are held out. The same seed gives the same split.
    Returns two arrays of indices, (train, held_out). Each index from 0 to N-1
    is in exactly one of them.
    """
    ### BEGIN SOLUTION
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    pictures = np.cumsum(sizes[order])
    enough = np.searchsorted(pictures, fraction * len(groups)) + 1
    held_out = np.isin(groups, names[order[:enough]])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
    ### END SOLUTION


# %% check="grouped_split" points=3
def torn(groups, **options):
    """How many groups have pictures on both sides."""
    train, held_out = grouped_split(groups, **options)
    return len(set(groups[train]) & set(groups[held_out]))


def share_is_met(groups, fraction, **options):
    """Whether the held-out share is right, up to one group."""
    _, held_out = grouped_split(groups, fraction, **options)
    return bool(
        abs(len(held_out) - fraction * len(groups)) <= np.bincount(groups).max()
    )


pairs = np.repeat(np.arange(100), 2)
check("every picture is on one side", np.sort(np.concatenate(grouped_split(pairs))))
check("groups that are torn", torn(pairs))
check("the held-out share of pairs", share_is_met(pairs, 0.2))
check(
    "seed 3 twice",
    np.array_equal(grouped_split(pairs, seed=3)[1], grouped_split(pairs, seed=3)[1]),
)
### BEGIN HIDDEN TESTS
gaps = pairs * 5 + 1000
check("numbers with gaps", (torn(gaps, fraction=0.5), share_is_met(gaps, 0.5)))
held = grouped_split(np.arange(400), 0.25, seed=2)[1]
check("held-out groups from everywhere", bool(held.min() < 100 and held.max() >= 300))
# Ten large groups and a hundred or more pictures of their own, mixed.
rng = check.rng()
sizes = np.append(rng.integers(9, 14, 10), np.ones(rng.integers(100, 200), int))
mixed = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))


def held_out_of_them(seed):
    """Whether any picture is held out, and whether as many as asked for."""
    held = grouped_split(mixed, 0.3, seed=seed)[1]
    return len(held) > 0, share_is_met(mixed, 0.3, seed=seed)


def all_indices(seed):
    """Those of both sides, sorted; with what is wrong, where too few are held out."""
    enough = held_out_of_them(seed)
    indices = np.sort(np.concatenate(grouped_split(mixed, 0.3, seed=seed)))
    return indices if all(enough) else (indices, enough)


def pictures_of_whole_groups():
    """How many there are; what twenty seeds give, where not all of them are right."""
    found = [
        (torn(mixed, fraction=0.3, seed=seed), held_out_of_them(seed))
        for seed in range(20)
    ]
    return len(mixed) if found == 20 * [(0, (True, True))] else found


check("every picture of uneven groups once", all_indices(1))
check(
    "uneven groups that are torn, and the held-out share",
    pictures_of_whole_groups(),
    weight=2,
)
once, again, other = [grouped_split(mixed, 0.3, seed=s)[1] for s in (3, 3, 4)]
alike = np.array_equal(once, again), np.array_equal(once, other)
check(
    "uneven groups, seeds 3 and 3, seeds 3 and 4",
    len(mixed) if alike == (True, False) else alike,
)
### END HIDDEN TESTS


# %% mistakes="grouped_split"
def splits_pictures(groups, fraction=0.2, seed=0):
    """You shuffled the pictures. So the frames of one scene end up on both sides. Shuffle the groups."""
    order = np.random.default_rng(seed).permutation(len(groups))
    cut = round(fraction * len(groups))
    return order[cut:], order[:cut]


def counts_groups(groups, fraction=0.2, seed=0):
    """You held out that share of the groups. Groups differ in size: count pictures."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    held_out = np.isin(groups, np.sort(names)[: round(fraction * len(names))])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def takes_the_first_groups(groups, fraction=0.2, seed=0):
    """You took the groups in their order, so the seed changes nothing. In files sorted by character you would hold out the first ones only."""
    names, sizes = np.unique(groups, return_counts=True)
    enough = np.searchsorted(np.cumsum(sizes), fraction * len(groups)) + 1
    held_out = np.isin(groups, names[:enough])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def draws_anew_each_time(groups, fraction=0.2, seed=0):
    """The same seed gives another split at each call. Make the generator from it: np.random.default_rng(seed)."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng().permutation(len(names))
    enough = np.searchsorted(np.cumsum(sizes[order]), fraction * len(groups)) + 1
    held_out = np.isin(groups, names[order[:enough]])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def returns_group_numbers(groups, fraction=0.2, seed=0):
    """These are numbers of groups. Wanted are the indices of pictures."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    cut = round(fraction * len(names))
    return names[cut:], names[:cut]


# %% [markdown]
# You have built much the same as scikit-learn's `GroupShuffleSplit`, whose
# share is of the groups, not of the pictures. From here on the lab uses the
# kit's `kaggle.split`, so that everyone's scores are measured on the same
# held-out pictures. It keeps whole groups on one side as yours does, holds out
# about the same share of each character, and does two things more, which
# section 5 needs: it sets a few **copies** aside, each with a near-duplicate
# among the training pictures, and it counts how many of Kaggle's test pictures
# have one. That needs no answers, only the pictures.

# %%
parts = kaggle.split(x, y, d.test_images)
train, held_out, copies = parts.train, parts.new, parts.copies
print(parts)
print("groups on both sides:", len(set(groups[train]) & set(groups[held_out])))

# %% [markdown]
# ## 4. How a score gets inflated
#
# A study of these pictures on the web reports 96 % right. It **drew** its
# pictures **with replacement**, as one draws balls and puts each back. Only
# *then* did it split into training and test. So a picture can be drawn twice:
# once for training, once for the test.
#
# ### Exercise: `share_seen`
#
# How often does that happen? One draw misses a given picture among $N$ with
# the probability $1 - \frac{1}{N}$. All of $n$ draws miss it with the
# probability $\left(1 - \frac{1}{N}\right)^n$. Work out the probability that
# at least one of them hits.


# %% solution="share_seen"
def share_seen(pictures, draws):
    """The probability that a given picture is drawn at least once.

    pictures: N, how many there are. draws: n, drawn with replacement.
    Returns a number from 0 to 1.
    """
    ### BEGIN SOLUTION
    return 1 - (1 - 1 / pictures) ** draws
    ### END SOLUTION


# %% check="share_seen" points=1
check("2 pictures, 1 draw", share_seen(2, 1))
check("2 pictures, 3 draws", share_seen(2, 3))
check("1,000 pictures, 800 draws", share_seen(1000, 800))
### BEGIN HIDDEN TESTS
check("6 faces of a die, 6 throws", share_seen(6, 6))
check("no draw at all", share_seen(10, 0))
rng = check.rng()
numbers = [(int(n), int(rng.integers(n, 3 * n))) for n in rng.integers(20, 300, 4)]
check("four pairs of numbers", [share_seen(*pair) for pair in numbers])
### END HIDDEN TESTS


# %% mistakes="share_seen"
def counts_every_draw_as_new(pictures, draws):
    """Some draws hit a picture that was drawn before, so they add nothing. Begin with the probability that all draws miss."""
    return min(1.0, draws / pictures)


def gives_the_misses(pictures, draws):
    """This is the probability that all draws miss the picture. Asked is the opposite."""
    return (1 - 1 / pictures) ** draws


# %% [markdown]
# ### The experiment
#
# We repeat the study's slip on our training pictures: draw as many as there
# are, with replacement, then split the draws 80 to 20. One network is trained
# on the draws. Then the **same network** is measured three times:
#
# 1. on the draws that were held out, as the study did;
# 2. on the pictures that were never drawn for training, which is what a plain
#    random split would measure: no picture twice, but frames of the same
#    scene;
# 3. on the pictures held out by whole groups, which share nothing with them.

# %%
import keras

# %%
keras.utils.set_random_seed(6)
rng = np.random.default_rng(0)
draws = rng.choice(train, len(train))
drawn, held_draws = np.split(draws, [round(0.8 * len(draws))])
never_drawn = np.setdiff1d(train, drawn)

first_network = models.simpsons_cnn(size, classes)
history = training.fit(
    first_network,
    x[drawn],
    y[drawn],
    epochs=profile.pick(quick=6, full=12, grading=2),
    minutes=profile.pick(quick=1, full=None),
    batch_size=profile.pick(quick=128, full=128, grading=32),
    learning_rate=3e-3,
    title=d.title("Trained on draws with replacement"),
)


# %%
def accuracy(network, pictures):
    """The share of pictures, given by their indices, that a network gets right."""
    said = training.predict(network, x[pictures]).argmax(axis=1)
    return float(np.mean(said == y[pictures]))


splits = {
    "draws held out\n(with replacement)": held_draws,
    "never drawn\n(random split)": never_drawn,
    "other groups\n(grouped split)": held_out,
}
measured = [accuracy(first_network, pictures) for pictures in splits.values()]

# %% tags=["folded"]
# Draws the three scores.
fig, ax = plt.subplots(figsize=(8, 2.2), layout="constrained")
bars = ax.barh(
    list(splits), measured, color=[plots.VERMILION, plots.ORANGE, plots.BLUE]
)
ax.bar_label(bars, [f"{score:.1%}" for score in measured], padding=4, weight="bold")
ax.invert_yaxis()
ax.set(xlim=(0, 1.1), xticks=np.linspace(0, 1, 6), xlabel="share right")
ax.spines["bottom"].set_bounds(0, 1)
ax.set_title(d.title("One network, three scores"))
plt.show()

# %% [markdown]
# Nothing about the network differs between the bars. Only the first number
# would be printed in a paper that splits last.
#
# The formula predicts the first bar. A held-out draw is a picture that the
# network was trained on with the probability `share_seen`; there it is nearly
# always right. The rest is new to it.

# %%
with_replacement, on_new, _ = measured
on_seen = accuracy(first_network, drawn)


def expected_score(seen):
    """The score to expect where a share of the held-out draws was trained on."""
    return seen * on_seen + (1 - seen) * on_new


seen, counted = share_seen(len(train), len(drawn)), np.mean(np.isin(held_draws, drawn))
print(
    f"held-out draws that were trained on: expected {seen:.1%}, counted {counted:.1%}"
)
print(f"score: expected {expected_score(seen):.1%}, measured {with_replacement:.1%}")
print()
for times in (0.5, 1, 2, 4):
    seen = share_seen(len(train), 0.8 * times * len(train))
    print(
        f"{times:3} draws a picture: {seen:5.1%} seen, score {expected_score(seen):.1%}"
    )

# %% [markdown]
# ### A question on fair scores
#
# 1. Why does the score rise with the number of draws, although the network
#    learns nothing new from a copy?
# 2. A friend says: "I need as many Moes as Homers, so I must draw some Moes
#    twice." How can that be done without inflating the score?
# 3. You hand in the network of this section. Which of the three bars comes
#    nearest to the score that Kaggle will give you? What would have to be true
#    of the test pictures for you to be wrong?

# %% [markdown] manual="fair_scores" points=3
# **1 point**: the more draws, the likelier each held-out draw has a copy among
# the training draws. The score then measures memory of pictures, not
# recognition of characters.
#
# **1 point**: split first, by groups; then draw with replacement within the
# training part only. The held-out part is never drawn from. (Weighting the
# loss instead of drawing earns the point too.)
#
# **1 point**: the grouped one, if the test pictures come from other scenes
# than the training pictures. If Kaggle split at random, frames of the same
# scenes are on both sides, and the score comes near the middle bar. Either
# answer earns the point with its condition; without one, half of it.
#
# **Model answer.** With more draws a held-out draw is more often a copy of a
# training draw, and copies are answered from memory. Split by groups first
# and draw again only inside the training part. I expect the grouped score. It
# would be too low if the test pictures were taken from the same scenes as the
# training pictures, as a random split of all frames would do.

# %% [markdown]
# ## 5. Task 1: predict all pictures
#
# Now the real training. The kit's `models.simpsons_cnn` is a small network of
# 3x3 convolutions with batch normalisation and max-pooling, as in lab 05. It
# takes pictures as they are, `uint8` from 0 to 255, and scales them in its
# own first layer.

# %%
models.simpsons_cnn(size, classes).summary()

# %% [markdown]
# ### Exercise: `train_network`
#
# Train a network with `training.fit` and return it. You know the parts from
# lab 05. `training.fit` takes, among others,
#
# | argument | what it does |
# |---|---|
# | `epochs`, `minutes` | how often it sees every picture, at most, and in how much time at most |
# | `batch_size` | in what portions |
# | `learning_rate`, `schedule` | the peak rate, and its course ("one-cycle" unless you say otherwise) |
# | `augment` | a function `(images, rng)` -> images, applied to each batch |
# | `weight_decay`, `label_smoothing` | against learning by heart |
# | `validation` | pictures and labels that are only measured |
#
# `training.random_shift` and `training.random_flip` augment. A character
# mirrored left to right is still the same character, so flips are allowed
# here. (With digits they were not.) `training.random_cover` hides a square of
# each picture, so that the network cannot rely on one detail (DeVries &
# Taylor, 2017). A recipe that works: batches of 64, peak rate 3e-3, weight
# decay 0.01, label smoothing 0.1. Twelve epochs show what a change is worth;
# eighty make a submission.
#
# At home the training shows its curves. Keep it under five minutes:
# `minutes=5` trains as many of the epochs as fit, and says how many. On the
# 6,200 pictures of ten characters, 28x28, eighty epochs reach 92 % of the
# held-out pictures, at ten looks (below), and fit where the first line says
# "in bfloat16". Twenty, five minutes on two idle cores without it, reach 89 %.
#
# At grading it runs on some 400 drawn pictures, where batches of 64 make too
# few steps: five epochs with batches of 8 do well, in seconds. There minutes
# do not count. So let the number of epochs and the batch size follow
# `profile.pick(quick=..., full=..., grading=...)`: `quick` is your run at home,
# `full` a long one on a GPU. (On stand-ins at home, where `d.stand_in` is true,
# six epochs with batches of 32 are enough.)
#
# What counts is the accuracy on pictures that are new to the network: at home
# the held-out ones, at grading the test pictures of the drawn set, whose
# answers only the grader knows. There are three steps: 60, 80 and 86 % at home
# (88 % in `full`), 35, 50 and 60 % at grading.


# %%
plots.image_grid(
    training.random_cover(x[:9], np.random.default_rng(0)),
    title=d.title("Covered"),
    columns=9,
)


# %% solution="train_network"
def train_network(images, labels, validation):
    """Train a network that tells the characters apart.

    images: (N, size, size, 3), uint8. labels: (N,), class numbers from 0.
    validation: a pair (images, labels), to be measured but not trained on.
    Returns the trained Keras model. `training.predict(model, images)` gives
    probabilities (N, classes).
    """
    ### BEGIN SOLUTION

    def augment(images, rng):
        moved = training.random_flip(training.random_shift(images, rng), rng)
        return training.random_cover(moved, rng)

    network = models.simpsons_cnn(size, classes)
    training.fit(
        network,
        images,
        labels,
        validation=validation,
        epochs=profile.pick(quick=6 if d.stand_in else 80, full=80, grading=5),
        minutes=profile.pick(quick=5, full=None),
        batch_size=profile.pick(quick=32 if d.stand_in else 64, full=128, grading=8),
        learning_rate=3e-3,
        weight_decay=0.01,
        label_smoothing=0.1,
        augment=augment,
        title=d.title("Training and held-out pictures"),
    )
    return network
    ### END SOLUTION


# %%
keras.utils.set_random_seed(6)
network = train_network(x[train], y[train], (x[held_out], y[held_out]))
history = dict(getattr(getattr(network, "history", None), "history", {}))

# %% [markdown]
# A network says something slightly different of a picture and of the same
# picture moved by a pixel, or mirrored. The mean of such opinions is right
# more often than a single one, for nothing but time. `training.predict` takes
# the mirror image along with `flips=True`; with `shifts=1` it also asks for the
# picture moved by one pixel to each of the four sides.


# %%
def ten_looks(network, images):
    """Mean probabilities of a picture in five places, and of their mirror images."""
    return training.predict(network, images, flips=True, shifts=1)


true = y[held_out]
probabilities = ten_looks(network, x[held_out])
said = probabilities.argmax(axis=1)
one_look = training.predict(network, x[held_out]).argmax(axis=1)
print(f"held-out pictures right at one look: {np.mean(one_look == true):.2%}")
print(f"held-out pictures right at ten looks: {np.mean(said == true):.2%}")

# %% check="train_network" points=4
new, labels = x[held_out], y[held_out]
if profile.name() == "grading":
    new, labels = d.test_images, d.test_labels
answers = training.predict(network, new, flips=True)
check.predictions(
    "accuracy on new pictures, 1st step",
    answers,
    labels,
    at_least=profile.pick(quick=0.60, full=0.60, grading=0.35),
    weight=2,
)
check.predictions(
    "accuracy on new pictures, 3rd step",
    answers,
    labels,
    at_least=profile.pick(quick=0.86, full=0.88, grading=0.60),
)
### BEGIN HIDDEN TESTS
check.predictions(
    "accuracy on new pictures, 2nd step",
    answers,
    labels,
    at_least=profile.pick(quick=0.80, full=0.80, grading=0.50),
)
### END HIDDEN TESTS

# %% [markdown]
# ### What will the leaderboard say?
#
# Your held-out pictures are all *new*. Kaggle's test pictures are not: some
# have a near-duplicate among the training pictures. `kaggle.split` counted
# them, and set copies aside to measure how well the network does there. So
# the score to expect is the mean of two accuracies, weighted by the share $s$
# of copies in the test set:
#
# $$\text{foretold} = (1 - s) \cdot \text{accuracy}_\text{new}
# + s \cdot \text{accuracy}_\text{copies}$$
#
# The number behind ± says how far chance may have moved it: a 95 % interval for
# the choice of held-out pictures. That of test pictures adds its own chance.

# %%
copies_said = ten_looks(network, x[copies]).argmax(axis=1)
foretold = parts.foretell(said == true, copies_said == y[copies])
print(foretold)

# %% [markdown]
# ### Exercise: `write_submission`
#
# Now the table. For each test picture: its id, and the **name** of the
# character with the highest probability.
#
# ```
# id,character
# 1,moe_szyslak
# 2,lisa_simpson
# ```
#
# Python's `csv.writer` writes rows. Open the file with `newline=""`, as its
# documentation asks for: otherwise Windows gets two line ends for one.


# %% solution="write_submission"
def write_submission(path, ids, probabilities, class_names):
    """Write a submission as a CSV file: a header, then one row for each picture.

    path: where to write. ids: (N,), the pictures' ids.
    probabilities: (N, C), one row for each picture.
    class_names: C names, in the order of the columns.
    The header is `id,character`. The rows stand in the order of `ids`.
    """
    ### BEGIN SOLUTION
    best = np.argmax(probabilities, axis=1)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "character"])
        writer.writerows((id_, class_names[label]) for id_, label in zip(ids, best))
    ### END SOLUTION


# %% check="write_submission" points=3
def written(ids, probabilities, class_names):
    """The lines that write_submission writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "submission.csv")
        write_submission(path, ids, np.array(probabilities), class_names)
        return path.read_text(encoding="utf-8").splitlines()


two_names = ("ned_flanders", "moe_szyslak")
check("two pictures", written([1, 2], [[0.2, 0.8], [0.9, 0.1]], two_names))
check(
    "ids as they are given",
    written([7, 3, 12], [[1.0, 0.0], [0.4, 0.6], [0.6, 0.4]], two_names),
)
### BEGIN HIDDEN TESTS
check("no picture, only the header", written([], np.zeros((0, 2)), two_names))
rng = check.rng()
five_names = ("a", "b", "c", "d", "e")
some_ids = 20 + rng.permutation(500)[:12]
check("five classes", written(some_ids, rng.dirichlet(np.ones(5), 12), five_names))
### END HIDDEN TESTS


# %% mistakes="write_submission"
def writes_numbers(path, ids, probabilities, class_names):
    """You wrote the class's number. Kaggle wants its name: class_names[number]."""
    rows = zip(ids, np.argmax(probabilities, axis=1))
    Path(path).write_text("id,character\n" + "".join(f"{i},{n}\n" for i, n in rows))


def forgets_the_header(path, ids, probabilities, class_names):
    """The first row is missing: the names of the two columns."""
    rows = zip(ids, np.argmax(probabilities, axis=1))
    Path(path).write_text("".join(f"{i},{class_names[n]}\n" for i, n in rows))


def counts_from_zero(path, ids, probabilities, class_names):
    """You counted the rows. Use the ids that you were given: they begin at 1, or anywhere."""
    rows = enumerate(np.argmax(probabilities, axis=1))
    Path(path).write_text(
        "id,character\n" + "".join(f"{i},{class_names[n]}\n" for i, n in rows)
    )


def writes_the_index_too(path, ids, probabilities, class_names):
    """There is one column too many: the row's number. With pandas, say index=False."""
    rows = enumerate(zip(ids, np.argmax(probabilities, axis=1)))
    lines = "".join(f"{row},{i},{class_names[n]}\n" for row, (i, n) in rows)
    Path(path).write_text(",id,character\n" + lines)


# %% [markdown]
# `kaggle.predict` takes the test pictures from their folder or zip file in a
# stream, a few hundred at a time: a test set may be larger than the memory.
# What it cannot read it answers with the most frequent character, and lists.

# %%
given = d.sample_submission.parent
answers = kaggle.predict(
    lambda images: ten_looks(network, images),
    given / "test" if (given / "test").is_dir() else given / "test.zip",
    d.class_names,
    size=size,
    fallback=d.class_names[np.bincount(y).argmax()],
)
answers

# %% [markdown]
# Write it, and check it **before** you upload it. `kaggle.check` lists all
# that is wrong at once, with the lines of the file. In a terminal:
# `labkit kaggle check submission.csv --sample sampleSubmission.csv`.

# %%
submission = Path("submission.csv")
write_submission(submission, answers.ids, answers.probabilities, d.class_names)
kaggle.check(submission, d.sample_submission, d.class_names)

# %% [markdown]
# What does it say about a bad one? Here is a file with four faults. One of
# them did happen: two names that ran into one
# another.<sup>[1](#Footnotes)</sup>

# %%
lines = submission.read_text(encoding="utf-8").splitlines()
spoilt = [lines[0], *lines[2:], lines[2]]
spoilt[2] = f"{spoilt[2].split(',')[0]},{d.class_names[-3]}{d.class_names[-2]}"
spoilt[3] = f"{spoilt[3].split(',')[0]},{d.class_names[0].replace('_', ' ').title()}"
Path("spoilt.csv").write_text("\n".join(spoilt) + "\n", encoding="utf-8")
kaggle.check("spoilt.csv", d.sample_submission, d.class_names)

# %% [markdown]
# ### The local score and the class's leaderboard
#
# For the held-out pictures you know the truth, so you can be Kaggle yourself.
# Several contestants predict them:
#
# - `largest_class` always names the most frequent character;
# - `mean_picture` takes the character whose average picture is nearest;
# - `nearest_picture` takes the character of the nearest training picture;
# - `first_network` is the one from section 4;
# - `network` is yours, and `network_ten_looks` is yours with ten opinions;
# - `late_at_night` forgot a picture.

# %%
flat_train, flat_held_out = (
    x[part].reshape(len(part), -1) for part in (train, held_out)
)
contestants = {
    "largest_class": DummyClassifier().fit(flat_train, y[train]).predict(flat_held_out),
    "mean_picture": NearestCentroid()
    .fit(flat_train / 255, y[train])
    .predict(flat_held_out / 255),
    "nearest_picture": KNeighborsClassifier(1, algorithm="brute")
    .fit(np.float32(flat_train), y[train])
    .predict(np.float32(flat_held_out)),
    "first_network": training.predict(first_network, x[held_out]).argmax(axis=1),
    "network": one_look,
    "network_ten_looks": said,
}
names = np.array(d.class_names)
kaggle.write(held_out, names[true], "truth.csv")
for who, labels in contestants.items():
    kaggle.write(held_out, names[labels], f"entries/{who}.csv", "truth.csv")
kaggle.write(held_out[1:], names[said[1:]], "entries/late_at_night.csv")

kaggle.score("entries/network_ten_looks.csv", "truth.csv", public=0.3)

# %%
leaderboard = kaggle.leaderboard("entries", "truth.csv", public=0.3)
leaderboard

# %% [markdown]
# While a competition runs, Kaggle shows the score on a part of the test
# pictures only: the **public** score. The ranking at the end goes by the
# others, the **private** score. The two differ even for honest entries,
# because 30 % of the pictures are a small sample. And whoever tries fifty
# variants and keeps the one with the best public score has trained on the
# public pictures, by hand.
#
# ### Your place on the leaderboard
#
# Upload `submission.csv` to the competition, on its page or with
# `labkit kaggle submit submission.csv --competition NAME -m "first"` (NAME as
# in the page's address), and hand it in beside this notebook. Say here,
# **before** you know your score: what do you foretell, from which numbers, and
# how far off may it be? The points of this question are for the score that
# your submission then reaches on the private pictures; your instructor has
# said how many points for which score. Your rank does not matter.

# %% [markdown] manual="leaderboard" points=4
# The points are for the private score, by the thresholds in `course.toml`:
# `labkit kaggle leaderboard --enter` enters them here after the deadline. The
# text shows you who can foretell.
#
# Without a hidden test set of your own: **2 points** for a number that follows
# from the held-out pictures and the share of copies, **1 point** for an
# interval, **1 point** for its reason (a sample of so many pictures, or test
# pictures unlike the held-out ones).
#
# **Model answer.** On new pictures my network is right in 91 of 100 cases, on
# copies in 99. A fifth of the test pictures are copies, so I foretell 92.6 %,
# give or take 1.8 points by chance (95 %), because I measured on 1,600 pictures
# and the private score on 1,400.

# %% [markdown]
# ## 6. Task 2: the confusion matrix
#
# One number does not say *what* goes wrong. The [**confusion
# matrix**](../glossary.md#confusion-matrix) does. It counts in row $i$ and
# column $j$ how many pictures of class $i$ were taken for class $j$:
#
# $$M_{ij} = \#\{\,n : \text{true}_n = i,\ \text{predicted}_n = j\,\}$$
#
# What is right stands on the diagonal, every error beside it.
#
# ### Exercise: `confusion`
#
# Count by hand. (scikit-learn has `confusion_matrix`. Here you write it; the
# next cell compares.)


# %% solution="confusion"
def confusion(y_true, y_pred, classes):
    """Count how often each class was taken for each other one.

    y_true, y_pred: whole numbers (N,), from 0 to classes - 1.
    classes: how many classes there are, also if some do not occur.
    Returns whole numbers (classes, classes): rows true, columns predicted.
    """
    ### BEGIN SOLUTION
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix
    ### END SOLUTION


# %% check="confusion" points=3
check(
    "six pictures of three classes",
    confusion(np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2]), 3),
)
check(
    "one picture, class 1 taken for class 0", confusion(np.array([1]), np.array([0]), 2)
)
### BEGIN HIDDEN TESTS
rng = check.rng()
few = rng.permutation(20)[:4], rng.permutation(20)[:4]
check("classes that do not occur", confusion(*few, 25))
# More than 255 of the first pair, more than 127 of the last.
often = [rng.integers(*ends) for ends in ((260, 380), (20, 120), (130, 250))]
check(
    "hundreds of pictures of a pair",
    confusion(np.repeat([0, 1, 1], often), np.repeat([0, 0, 1], often), 2),
)
some = rng.integers(0, 5, (2, 200))
check("two hundred pictures", confusion(some[0], some[1], 5))
### END HIDDEN TESTS


# %% mistakes="confusion"
def swaps_rows_and_columns(y_true, y_pred, classes):
    """The table is turned: a row is for the true class, a column for the predicted one."""
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (y_pred, y_true), 1)
    return matrix


def counts_each_pair_once(y_true, y_pred, classes):
    """`matrix[a, b] += 1` with arrays adds only once for each pair, however often it occurs. Loop over the pictures, or look for `np.add.at`."""
    matrix = np.zeros((classes, classes), dtype=int)
    matrix[y_true, y_pred] += 1
    return matrix


def forgets_rare_classes(y_true, y_pred, classes):
    """The table is too small where the last classes do not occur. Its size is `classes`."""
    size = max(np.max(y_true, initial=-1), np.max(y_pred, initial=-1)) + 1
    matrix = np.zeros((size, size), dtype=int)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def counts_in_bytes(y_true, y_pred, classes):
    """Your counts start again at 0 behind 255: which type does your table have? dtype=int has room enough."""
    matrix = np.zeros((classes, classes), dtype=np.uint8)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def counts_to_127(y_true, y_pred, classes):
    """Your counts turn negative behind 127: which type does your table have? dtype=int has room enough."""
    matrix = np.zeros((classes, classes), dtype=np.int8)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def gives_shares(y_true, y_pred, classes):
    """These are shares. Wanted are counts, as whole numbers."""
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (y_true, y_pred), 1 / max(1, len(y_true)))
    return matrix


# %%
matrix = confusion(true, said, classes)
print(
    "the same as scikit-learn's:",
    np.array_equal(matrix, confusion_matrix(true, said, labels=range(classes))),
)
figure = plots.confusion_matrix(
    matrix, d.class_names, title=d.title("Confusion matrix, held-out pictures")
)
figure.savefig("confusion_matrix.png", dpi=150)
figure

# %% [markdown]
# The counts mix two things: how often a character is mistaken, and how often
# it occurs at all. Divide each row by its sum, and a row says: *of all
# pictures of this character, what share was taken for whom?* The diagonal is
# then the **recall** of each class.
#
# ### Exercise: `normalise_rows`


# %% solution="normalise_rows"
def normalise_rows(matrix):
    """Turn a confusion matrix of counts into shares of each row.

    matrix: whole numbers (C, C), rows true.
    Returns decimal numbers (C, C). Each row adds up to 1; a row without any
    picture stays 0.
    """
    ### BEGIN SOLUTION
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ### END SOLUTION


# %% check="normalise_rows" points=1
check("rows of two classes", normalise_rows(np.array([[3, 1], [2, 8]])))
check(
    "a class without pictures",
    normalise_rows(np.array([[4, 0, 4], [0, 0, 0], [1, 2, 2]])),
)
### BEGIN HIDDEN TESTS
rng = check.rng()
six = rng.integers(1, 40, (6, 6))
six[rng.integers(6)] = 0
check("six classes, one of them without pictures", normalise_rows(six))
### END HIDDEN TESTS


# %% mistakes="normalise_rows"
def divides_columns_by_row_sums(matrix):
    """The sums lie along the wrong axis of the division. Keep them as a column: keepdims=True."""
    return matrix / np.maximum(matrix.sum(axis=1), 1)


def divides_by_column_sums(matrix):
    """Your columns add up to 1. Sum along the other axis."""
    return matrix / np.maximum(matrix.sum(axis=0, keepdims=True), 1)


def divides_by_all(matrix):
    """You divided by the number of all pictures. Each row has a sum of its own."""
    return matrix / matrix.sum()


def rounds_the_shares(matrix):
    """You rounded, so the rows do not add up to 1 any more. Round only what you print."""
    return np.round(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), 2)


def divides_by_zero(matrix):
    """A class without pictures gives 0/0, which is nan. Its row should stay 0."""
    with np.errstate(invalid="ignore"):
        return matrix / matrix.sum(axis=1, keepdims=True)


# %% [markdown]
# For reading, put characters that are mixed up side by side.

# %%
shares = normalise_rows(matrix)
print("each row adds up to 1:", np.allclose(shares.sum(axis=1), 1))
plots.confusion_matrix(
    matrix,
    d.class_names,
    normalise="true",
    order="similarity",
    title=d.title("Of each character's pictures, who is named (recall)"),
)

# %% [markdown]
# Divided by the columns' sums it answers another question: *of all pictures
# given this name, what share is who?* The diagonal is then the **precision**.

# %%
plots.confusion_matrix(
    matrix,
    d.class_names,
    normalise="predicted",
    order="similarity",
    title=d.title("Of each name given, who it is (precision)"),
)

# %% [markdown]
# ### Exercise: `most_confused`
#
# Whom does the network mix up most? List the worst pairs. "Bart taken for
# Lisa" and "Lisa taken for Bart" are two pairs.


# %% solution="most_confused"
def most_confused(matrix, count):
    """List the pairs of classes that are mixed up most often.

    matrix: whole numbers (C, C), rows true, columns predicted; it is not changed.
    Returns whole numbers (count, 3), each row (true class, predicted class,
    how many), the most errors first. Where two pairs have as many errors, the
    one with the smaller true class comes first, then the one with the smaller
    predicted class. Pairs without an error are left out, so there may be
    fewer rows.
    """
    ### BEGIN SOLUTION
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    true, predicted = np.unravel_index(order, errors.shape)
    pairs = np.stack([true, predicted, errors[true, predicted]], axis=1)
    return pairs[pairs[:, 2] > 0]
    ### END SOLUTION


# %% check="most_confused" points=2
seen_as = np.array([[90, 2, 8], [5, 70, 25], [0, 3, 97]])
check("the two worst pairs", most_confused(seen_as, 2))
check("the matrix is left alone", (most_confused(seen_as, 1), seen_as))
check("fewer errors than asked for", most_confused(np.array([[5, 1], [0, 5]]), 3))
### BEGIN HIDDEN TESTS
check("both directions count", most_confused(np.array([[1, 7], [6, 1]]), 2))
check("no error at all, rows found", len(most_confused(np.diag([4, 5, 6]), 2)))
# No two numbers are equal, and the largest stand on the diagonal.
rng = check.rng()
many = rng.permutation(64).reshape(8, 8) + np.diag(np.arange(100, 108))
check("eight classes, and the matrix stays", (most_confused(many, 6), many))
# Four pairs each have as many errors.
tied = np.full((4, 4), 99)
tied[~np.eye(4, dtype=bool)] = rng.permutation(
    np.repeat(rng.integers(1, 60) + np.arange(3), 4)
)
check("pairs with as many errors", most_confused(tied, 6))
### END HIDDEN TESTS


# %% mistakes="most_confused"
def lists_the_diagonal(matrix, count):
    """The diagonal holds what is right. Leave it out."""
    order = np.argsort(-matrix, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, matrix.shape)
    pairs = np.stack([rows, columns, matrix[rows, columns]], axis=1)
    return pairs[pairs[:, 2] > 0]


def clears_the_argument(matrix, count):
    """You set the diagonal of the matrix that you were given to 0. Work on a copy."""
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, matrix.shape)
    pairs = np.stack([rows, columns, matrix[rows, columns]], axis=1)
    return pairs[pairs[:, 2] > 0]


def turns_equal_pairs_round(matrix, count):
    """Pairs with as many errors come in the wrong order: an ascending order read backwards has the last of them first. Sort -errors with kind="stable"."""
    errors = matrix - np.diag(np.diag(matrix))
    order = np.argsort(errors, axis=None, kind="stable")[::-1][:count]
    rows, columns = np.unravel_index(order, errors.shape)
    pairs = np.stack([rows, columns, errors[rows, columns]], axis=1)
    return pairs[pairs[:, 2] > 0]


def lists_the_least(matrix, count):
    """These are the pairs with the fewest errors. Sort the other way round."""
    errors = matrix - np.diag(np.diag(matrix))
    order = [
        cell
        for cell in np.argsort(errors, axis=None, kind="stable")
        if errors.flat[cell]
    ]
    rows, columns = np.unravel_index(np.array(order[:count], dtype=int), errors.shape)
    return np.stack([rows, columns, errors[rows, columns]], axis=1)


def adds_both_directions(matrix, count):
    """You added "a for b" and "b for a". They are two pairs: the reasons may differ."""
    errors = np.triu(matrix + matrix.T, 1)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, errors.shape)
    pairs = np.stack([rows, columns, errors[rows, columns]], axis=1)
    return pairs[pairs[:, 2] > 0]


# %%
for true_class, taken_for, errors in most_confused(matrix, 5):
    print(
        f"{d.class_names[true_class]:26} taken for {d.class_names[taken_for]:26} {errors:4}"
    )
plots.confused_pairs(
    x[held_out], true, said, d.class_names, title=d.title("The pairs most confused")
)

# %%
plots.misclassified(
    x[held_out],
    true,
    probabilities,
    d.class_names,
    title=d.title("The surest mistakes"),
)

# %% [markdown]
# ### Exercise: `precision_recall_f1`
#
# Two questions can be asked for each class $c$:
#
# - [**Recall**](../glossary.md#recall): of all pictures *of* the character,
#   what share was found?
# - [**Precision**](../glossary.md#precision): of all pictures *taken for* the
#   character, what share is?
#
# $$\text{recall}_c = \frac{M_{cc}}{\sum_j M_{cj}} \qquad
# \text{precision}_c = \frac{M_{cc}}{\sum_i M_{ic}} \qquad
# F_{1,c} = \frac{2 \cdot \text{precision}_c \cdot \text{recall}_c}
# {\text{precision}_c + \text{recall}_c}$$
#
# A network that calls everyone Homer finds every Homer (recall 1), but its
# word is worth little (low precision). $F_1$, the harmonic mean, is high only
# if both are.


# %% solution="precision_recall_f1"
def precision_recall_f1(matrix):
    """Precision, recall and F1 of each class from a confusion matrix.

    matrix: whole numbers (C, C), rows true, columns predicted.
    Returns three arrays (C,): precision, recall, F1. Where a fraction would be
    0/0, the value is 0.
    """
    ### BEGIN SOLUTION
    right = np.diag(matrix)
    predicted, actual = matrix.sum(axis=0), matrix.sum(axis=1)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(actual, 1)
    f1 = 2 * right / np.maximum(predicted + actual, 1)
    return precision, recall, f1
    ### END SOLUTION


# %% check="precision_recall_f1" points=3
check("scores of two classes", precision_recall_f1(np.array([[8, 2], [4, 6]])))
check(
    "scores of three classes",
    precision_recall_f1(np.array([[5, 0, 5], [1, 9, 0], [0, 3, 7]])),
)
### BEGIN HIDDEN TESTS
rng = check.rng()
never_said, never_there = rng.integers(1, 40, (2, 4, 4))
never_said[:, rng.integers(4)] = 0
never_there[rng.integers(4)] = 0
check("a class that is never predicted", precision_recall_f1(never_said))
check("a class that does not occur", precision_recall_f1(never_there))
check("seven classes", precision_recall_f1(rng.integers(1, 40, (7, 7))))
### END HIDDEN TESTS


# %% mistakes="precision_recall_f1"
def swaps_precision_and_recall(matrix):
    """Precision and recall are swapped. Which of them looks along a row, which down a column?"""
    right = np.diag(matrix)
    predicted, actual = matrix.sum(axis=0), matrix.sum(axis=1)
    f1 = 2 * right / np.maximum(predicted + actual, 1)
    return right / np.maximum(actual, 1), right / np.maximum(predicted, 1), f1


def divides_zero_by_zero(matrix):
    """There is nan: a class that was never predicted, or does not occur, gives 0/0. The value should be 0."""
    right = np.diag(matrix)
    with np.errstate(invalid="ignore"):
        precision, recall = right / matrix.sum(axis=0), right / matrix.sum(axis=1)
        return precision, recall, 2 * precision * recall / (precision + recall)


def takes_the_plain_mean(matrix):
    """F1 is the harmonic mean, 2pr/(p + r), and not the plain one."""
    right = np.diag(matrix)
    precision = right / np.maximum(matrix.sum(axis=0), 1)
    recall = right / np.maximum(matrix.sum(axis=1), 1)
    return precision, recall, (precision + recall) / 2


def forgets_the_two(matrix):
    """Your F1 is half of what it should be. Look at the formula's numerator."""
    right = np.diag(matrix)
    predicted, actual = matrix.sum(axis=0), matrix.sum(axis=1)
    f1 = right / np.maximum(predicted + actual, 1)
    return right / np.maximum(predicted, 1), right / np.maximum(actual, 1), f1


# %%
precision, recall, f1 = precision_recall_f1(matrix)
plots.class_scores(
    {"precision": precision, "recall": recall, "F1": f1},
    d.class_names,
    title=d.title("Precision, recall and F1 of each character"),
)

# %% [markdown]
# ### A question on your confusion matrix
#
# 1. Name the pair that your network mixes up most, and a reason that you can
#    see in the pictures.
# 2. Find a character whose precision and recall differ clearly. (If yours has
#    none, take the largest difference that there is.) What does the network
#    do with this character?
# 3. What would you change first, and which number of the matrix should then
#    change?

# %% [markdown] manual="read_the_matrix" points=3
# **1 point**: a pair that is in fact among the worst in the student's own
# matrix, and a reason that refers to the pictures: same colours or hair, two
# characters in one picture, a face from the side or in the dark, a detail that
# is lost at this size. A network without any error: the pair with the least
# certain answers, with a reason, earns the point.
#
# **1 point**: precision below recall: the network uses this name too readily;
# recall below precision: it uses it too rarely. The direction must be right.
#
# **1 point**: a change that fits the reason (larger pictures for lost details,
# more or other pictures of the two, cropping, longer training) and the entry
# that should fall, or the diagonal entry that should rise.
#
# **Model answer.** Bart is most often taken for Lisa: both have the same skin
# and spiky outlines, and at 28 pixels the hair is a few points. Lisa's
# precision is below her recall: the name is used too readily. I would use 64
# pixels; the entry in Bart's row and Lisa's column should fall.

# %% [markdown]
# ## 7. When some characters are rare
#
# In a film, Homer has more scenes than Lenny. Then accuracy misleads: a
# network that never says "Lenny" loses next to nothing. The next cell makes
# such a set out of the held-out pictures: all of one character, one in ten of
# the others.

# %%
frequent = int(np.bincount(true).argmax())
others = np.flatnonzero(true != frequent)[::10]
lopsided = np.concatenate([np.flatnonzero(true == frequent), others])
always = np.full(len(lopsided), frequent)
for who, answer in {
    f"always {d.class_names[frequent]}": always,
    "network": said[lopsided],
}.items():
    right = np.mean(answer == true[lopsided])
    macro = f1_score(true[lopsided], answer, average="macro", zero_division=0)
    print(f"{who:34} accuracy {right:.1%}   macro F1 {macro:.3f}")

# %% [markdown]
# **Macro F1** is the mean of all classes' F1, each class with the same say.
# It is not impressed by someone who knows one name.
#
# To make *training* care for rare classes, weight their errors more. The
# usual weight of class $c$ with $N_c$ of all $N$ pictures and $C$ classes is
#
# $$w_c = \frac{N}{C \cdot N_c}$$
#
# so that every class has the same total weight, and the mean weight of all
# pictures is 1.
#
# ### Exercise: `class_weights`


# %% solution="class_weights"
def class_weights(labels, classes):
    """The weight of each class, so that rare classes count as much as common ones.

    labels: whole numbers (N,), from 0 to classes - 1; every class occurs.
    classes: C, how many classes there are.
    Returns decimal numbers (C,).
    """
    ### BEGIN SOLUTION
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts)
    ### END SOLUTION


# %% check="class_weights" points=1
check("three of one, one of the other", class_weights(np.array([0, 0, 1, 0]), 2))
check(
    "classes as frequent as each other", class_weights(np.array([2, 0, 1, 1, 0, 2]), 3)
)
### BEGIN HIDDEN TESTS
rng = check.rng()
four_classes = rng.permutation(np.repeat(np.arange(4), 5 + rng.permutation(40)[:4]))
check("four classes, each as often as chance wills", class_weights(four_classes, 4))
### END HIDDEN TESTS


# %% mistakes="class_weights"
def weights_by_frequency(labels, classes):
    """Frequent classes got the larger weights. It should be the other way round."""
    return classes * np.bincount(labels, minlength=classes) / len(labels)


def forgets_the_classes(labels, classes):
    """Your weights are `classes` times too large: their mean over all pictures should be 1."""
    return len(labels) / np.bincount(labels, minlength=classes)


def makes_them_sum_to_one(labels, classes):
    """You made the weights add up to 1. The mean over all pictures should be 1."""
    inverse = 1 / np.bincount(labels, minlength=classes)
    return inverse / inverse.sum()


# %%
weights = class_weights(y[train], classes)
rare, common = np.argmax(weights), np.argmin(weights)
print(
    f"{d.class_names[rare]}: weight {weights[rare]:.2f};  {d.class_names[common]}: weight {weights[common]:.2f}"
)
print(f"mean weight of all training pictures: {np.mean(weights[y[train]]):.3f}")

# %% [markdown]
# Keras takes such weights as
# `model.fit(..., class_weight=dict(enumerate(weights)))`. The other way is to
# draw rare pictures more often, **after** the split and from the training
# part only. Section 4 showed what happens otherwise.
#
# ## 8. Five guesses
#
# ImageNet's competition has 1,000 classes, and some pictures show more than one
# thing. So it counts an answer as right if the true class is among the
# **five** likeliest. The AlexNet paper shows its answers as bars under each
# picture; here are yours. Look for pictures where the network hesitates, and
# between whom.
#
# ### Exercise: `top_k_accuracy`


# %% solution="top_k_accuracy"
def top_k_accuracy(probabilities, labels, k):
    """The share of pictures whose true class is among the k likeliest.

    probabilities: (N, C). labels: whole numbers (N,). k: from 1 to C.
    Returns a number from 0 to 1.
    """
    ### BEGIN SOLUTION
    likeliest = np.argsort(-probabilities, axis=1)[:, :k]
    return float(np.mean(np.any(likeliest == labels[:, None], axis=1)))
    ### END SOLUTION


# %% check="top_k_accuracy" points=1
guesses = np.array(
    [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.25, 0.35, 0.4], [0.6, 0.3, 0.1]]
)
check("first guess", top_k_accuracy(guesses, np.array([0, 1, 1, 2]), 1))
check("two guesses", top_k_accuracy(guesses, np.array([0, 1, 1, 2]), 2))
### BEGIN HIDDEN TESTS
check("as many guesses as classes", top_k_accuracy(guesses, np.array([2, 0, 0, 2]), 3))
rng = check.rng()
unsure = rng.random((90, 8))
unsure /= unsure.sum(axis=1, keepdims=True)
# Most of the true classes are among the likely ones, the others are any.
near = (unsure + 0.15 * rng.random((90, 8))).argmax(axis=1)
near = np.where(rng.random(90) < 0.6, near, rng.integers(0, 8, 90))
check(
    "two and three guesses of eight", [top_k_accuracy(unsure, near, k) for k in (2, 3)]
)
### END HIDDEN TESTS


# %% mistakes="top_k_accuracy"
def takes_the_least_likely(probabilities, labels, k):
    """np.argsort puts the smallest first. You took the least likely classes."""
    least = np.argsort(probabilities, axis=1)[:, :k]
    return float(np.mean(np.any(least == labels[:, None], axis=1)))


def looks_at_the_kth_only(probabilities, labels, k):
    """You looked at the k-th guess alone. Any of the first k may be right."""
    kth = np.argsort(-probabilities, axis=1)[:, k - 1]
    return float(np.mean(kth == labels))


def divides_by_the_guesses(probabilities, labels, k):
    """You divided by the number of guesses. A picture counts once, whichever guess is right."""
    likeliest = np.argsort(-probabilities, axis=1)[:, :k]
    return float(np.mean(likeliest == labels[:, None]))


# %%
for k in (1, 2, 3, 5):
    guesses = "guess" if k == 1 else "guesses"
    print(f"right within {k} {guesses:8} {top_k_accuracy(probabilities, true, k):.2%}")
least_sure = np.argsort(probabilities.max(axis=1), kind="stable")
_, first_of_group = np.unique(groups[held_out][least_sure], return_index=True)
hesitant = least_sure[np.sort(first_of_group)[:4]]  # one picture a scene
shown = np.concatenate([np.arange(4), hesitant])
plots.top_k(
    x[held_out][shown],
    probabilities[shown],
    d.class_names,
    true[shown],
    title=d.title(
        "Four held-out pictures, and the four that the network is least sure of"
    ),
)

# %% [markdown]
# ## 9. Task 3: what the first layer sees
#
# The first layer's filters look at raw pixels, so they can be drawn as small
# colour pictures. AlexNet's are 11x11 and show edges in all directions and
# blobs of colour. (Its 96 filters were spread over two GPUs, 48 on each; the
# ones on the first came out grey, the ones on the second coloured.)
#
# ### Exercise: `first_layer_filters`
#
# Fetch the kernel of the first convolution layer and make pictures of it.
# Keras stores it as `(k, k, channels, filters)`. Weights are negative and
# positive, pictures go from 0 to 1. So shift and stretch: the **smallest
# weight of all filters** becomes 0, the largest 1. With one scale for all,
# a weak filter looks pale, as it should.
#
# <details><summary>A nudge</summary>
#
# `model.layers` lists the layers; the first one may be no convolution.
# `isinstance(layer, keras.layers.Conv2D)` tells. `layer.get_weights()[0]` is
# its kernel, as a NumPy array. `np.moveaxis` moves an axis to another place.
# </details>


# %% solution="first_layer_filters"
def first_layer_filters(model):
    """The filters of a model's first convolution layer, as pictures.

    model: a Keras model for colour pictures; other layers may stand before
    its first `Conv2D`.
    Returns decimal numbers (F, k, k, 3) from 0 to 1: the smallest weight of
    all filters is 0, the largest 1.
    """
    ### BEGIN SOLUTION
    layer = next(
        layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    )
    filters = np.moveaxis(layer.get_weights()[0], -1, 0)
    return (filters - filters.min()) / (filters.max() - filters.min())
    ### END SOLUTION


# %% check="first_layer_filters" points=3
def model_with(kernel, *before):
    """A model whose first convolution layer has the given kernel."""
    first = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[0])
    second = keras.layers.Conv2D(2, 1)
    model = keras.Sequential([keras.Input((8, 8, 3)), *before, first, second])
    first.set_weights([kernel, np.zeros(kernel.shape[-1])])
    return model


kernel = np.random.default_rng(7).normal(0, 0.3, (3, 3, 3, 4)).astype("float32")
check("shape, four filters of 3x3", np.shape(first_layer_filters(model_with(kernel))))
check("four filters of 3x3", first_layer_filters(model_with(kernel)), atol=1e-5)
### BEGIN HIDDEN TESTS
rng = check.rng()
another = rng.normal(0, 0.3, (3, 3, 3, 4)).astype("float32")
check("four others", first_layer_filters(model_with(another)), atol=1e-5)
larger = rng.normal(0, 0.1, (5, 5, 3, 6)).astype("float32")
larger[..., 0] *= 3
scaled_first = model_with(larger, keras.layers.Rescaling(1 / 255))
check("5x5 behind a layer that rescales", first_layer_filters(scaled_first), atol=1e-5)
### END HIDDEN TESTS


# %% mistakes="first_layer_filters"
def _kernel(model):
    return next(
        layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    ).get_weights()[0]


def reshapes(model):
    """The shape is right, but the numbers are mixed up: reshape does not move axes. np.moveaxis does."""
    kernel = _kernel(model)
    filters = kernel.reshape(kernel.shape[-1], *kernel.shape[:3])
    return (filters - filters.min()) / (filters.max() - filters.min())


def scales_each_filter(model):
    """You stretched each filter on its own, so a weak one looks as strong as the others. Use one scale for all."""
    filters = np.moveaxis(_kernel(model), -1, 0)
    low, high = (
        filters.min(axis=(1, 2, 3), keepdims=True),
        filters.max(axis=(1, 2, 3), keepdims=True),
    )
    return (filters - low) / (high - low)


def clips(model):
    """You cut off what is below 0 and above 1. Shift and stretch instead: about half of the weights are negative."""
    return np.clip(np.moveaxis(_kernel(model), -1, 0), 0, 1)


def leaves_keras_order(model):
    """The filters are the last axis, as Keras stores them. Move them to the front."""
    kernel = _kernel(model)
    return (kernel - kernel.min()) / (kernel.max() - kernel.min())


def transposes(model):
    """`.T` reverses all axes: it moves the filters to the front, but puts the colours second and turns each filter."""
    kernel = _kernel(model).T
    return (kernel - kernel.min()) / (kernel.max() - kernel.min())


# %%
filters = first_layer_filters(network)
figure = plots.filters(filters, title=d.title("First-layer filters"))
figure.savefig("first_layer_filters.png", dpi=150)
figure

# %% [markdown]
# What of this is learned? The same network before its training, beside it, on
# one scale and sorted by hue: what you see on the left is chance.

# %%
keras.utils.set_random_seed(6)
untrained = type(network).from_config(network.get_config())
start, end = (
    np.moveaxis(layer.get_weights()[0], -1, 0)
    for layer in (
        next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
        for model in (untrained, network)
    )
)
before, after = plots.one_scale(start, end)
plots.filters(after, before, sort="hue", title=d.title("First-layer filters"))

# %% [markdown]
# ### Extra: feature maps
#
# The course's task sheet has "draw every layer's feature maps" struck out. In
# lab 05 you wrote a function for it, `activations`, so here it is given: what
# does a layer of the network make of *one* picture? Every filter gives one
# map; bright is where it found what it looks for.


# %%
def feature_maps(model, image, layer_name):
    """What a layer makes of one picture (H, W, 3): its maps, (H', W', F)."""
    part = keras.Model(model.inputs[0], model.get_layer(layer_name).output)
    return keras.ops.convert_to_numpy(part(image[None]))[0]


# %%
activations = [
    layer.name for layer in network.layers if isinstance(layer, keras.layers.ReLU)
]
example = x[held_out][0]
plots.feature_maps(
    feature_maps(network, example, activations[0]),
    example,
    title=d.title("Feature maps of the first layer"),
)

# %%
deep = feature_maps(network, example, activations[2])
plots.feature_maps(
    deep[..., :32],
    example,
    title=d.title("Feature maps of the third layer (32 of them)"),
)

# %% [markdown]
# ### A question on filters
#
# Filters whose nine pixels have lighter and darker shades of the *same* colour
# and filters that change from one colour to *another* look for different
# things. Find one of each kind among your filters (give their numbers,
# counted row by row from 0), and say what kind of place in a picture each
# answers to. Which kind would a network for grey digits not have?

# %% [markdown] manual="read_the_filters" points=2
# **1 point**: one filter of each kind that fits its description: light to dark
# (an edge or a line in that direction), and colour against colour (a border
# between differently coloured parts, such as skin on sky, or, where the whole
# tile has one colour, a patch of that colour).
#
# **1 point**: the coloured kind. A grey picture has one channel, so a filter
# has one weight for each pixel and cannot tell colours apart.
#
# **Model answer.** Number 3 is dark on the left and light on the right in all
# channels: it answers to vertical edges. Number 11 goes from blue to yellow:
# it answers where yellow skin stands against something blue. A network for
# grey digits has no filters of the second kind, as its pictures have a single
# channel.

# %% [markdown]
# ## 10. Where does the network look?
#
# Lab 05 hid a picture tile by tile to find out what an answer hangs on. The
# gradient tells it in one pass. [**Grad-CAM**](../glossary.md#Grad-CAM) looks
# at the maps $A_1, \dots, A_F$ of a deep layer, which still know *where*, and
# asks how the score of one class changes with them:
#
# 1. The **weight** of a map is the mean, over its $H' \cdot W'$ places, of the
#    slopes of the class's score $y$: how much does it gain, if this map grows?
#
# $$\alpha_f = \frac{1}{H' W'} \sum_{i,j} \frac{\partial y}{\partial A_{f,ij}}$$
#
# 2. Add up the maps, each times its weight. Cut off what is below 0: those
#    places speak for other classes.
#
# $$L_{ij} = \max\Bigl(0,\; \sum_f \alpha_f\, A_{f,ij}\Bigr)$$
#
# 3. Divide by the largest value, so that the map goes from 0 to 1 (if all is
#    0, leave it so), and bring it to the picture's size. Each place of $L$
#    becomes a block of pixels: `np.kron` with a table of ones does that.
#
# The score is $y = \ln p$, the logarithm of the class's probability. So a place
# counts that speaks for the class, and one that speaks against its rivals.
#
# The slopes are those of backpropagation. You need not derive them: Keras's
# backend does. `slopes` is given; it says how $\ln p$ of a class changes with
# a layer's maps.


# %%
def slopes(model, image, label, layer):
    """A layer's maps of one picture, and how ln p of a class changes with them.

    image: (H, W, C). label: the class's number. layer: its name.
    Returns two arrays (H', W', F).
    """
    inner = model.get_layer(layer)
    both = keras.Model(model.inputs[0], [inner.output, model.outputs[0]])
    batch = keras.ops.convert_to_tensor(np.asarray(image, "float32")[None])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            maps, probabilities = both(batch, training=False)
            score = tf.math.log(tf.cast(probabilities[0, label], "float32") + 1e-12)
        found = tape.gradient(score, maps)
    elif keras.backend.backend() == "torch":
        maps, probabilities = both(batch, training=False)
        maps.retain_grad()
        (probabilities[0, label].float() + 1e-12).log().backward()
        found = maps.grad
    else:
        import jax

        rest = keras.Model(inner.output, model.outputs[0])
        maps = keras.Model(model.inputs[0], inner.output)(batch, training=False)
        found = jax.grad(
            lambda maps: jax.numpy.log(rest(maps, training=False)[0, label] + 1e-12)
        )(maps)
    return tuple(
        np.asarray(keras.ops.convert_to_numpy(part)[0], "float32")
        for part in (maps, found)
    )


# %% [markdown]
# <details><summary>What the three ways have in common</summary>
#
# Each backend keeps track of how a number was computed, and goes the way back
# by the chain rule. TensorFlow writes it down on a tape, PyTorch in the tensors
# themselves, and JAX derives the function as a whole.
# </details>
#
# ### Exercise: `grad_cam`


# %% solution="grad_cam"
def grad_cam(model, image, label, layer):
    """Where in a picture the network sees what speaks for a class.

    model: a Keras model that gives probabilities. image: (H, W, 3), as the model
    takes it; it is not changed. label: the class's number. layer: the name of a
    layer with maps (H', W', F), where H' divides H and W' divides W; `slopes`
    gives its maps and slopes.
    Returns decimal numbers (H, W) from 0 to 1; the largest is 1. If no place
    speaks for the class, all are 0. Each place of the layer's maps is a block
    of equal pixels.
    """
    ### BEGIN SOLUTION
    maps, slope = slopes(model, image, label, layer)
    weights = slope.mean(axis=(0, 1))
    found = np.maximum(maps @ weights, 0)
    found = found / (found.max() or 1)
    block = [of // small for of, small in zip(image.shape, found.shape)]
    return np.kron(found, np.ones(block))
    ### END SOLUTION


# %% check="grad_cam" points=3
def onlooker(rng, size=8):
    """A small network with known weights; `seen` has eight maps of half the size.

    Its numbers lie around 0, so that no map is dark all over, whatever is drawn.
    """
    model = keras.Sequential(
        [
            keras.Input((size, size + 4, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.AveragePooling2D(2, name="seen"),
            keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    for weight in model.weights:
        weight.assign(rng.normal(0.05, 0.4, tuple(weight.shape)))
    return model


draw = np.random.default_rng(11)
small, scene = onlooker(draw), draw.integers(0, 256, (8, 12, 3)).astype("uint8")
check("a picture of 8x12", grad_cam(small, scene, 1, "seen"), rtol=1e-2, atol=1e-3)
check("its shape", np.shape(grad_cam(small, scene, 1, "seen")))
### BEGIN HIDDEN TESTS
draw = check.rng()
small = onlooker(draw)
scenes = draw.integers(0, 256, (2, 8, 12, 3)).astype("float32")
for number, another in enumerate(scenes):
    another[2 * number : 2 * number + 4] *= 0.2
seen = [grad_cam(small, one, label, "seen") for one in scenes for label in range(3)]
check("two pictures, each of three classes", seen, rtol=1e-2, atol=1e-3)
check(
    "one picture, and what is left of it",
    (grad_cam(small, scenes[0], 2, "seen"), scenes[0]),
    rtol=1e-2,
    atol=1e-3,
)
### END HIDDEN TESTS


# %% mistakes="grad_cam"
def _at_full_size(found, image, top=True):
    if top:
        found = found / (found.max() or 1)
    block = [of // small for of, small in zip(image.shape, found.shape)]
    return np.kron(found, np.ones(block))


def keeps_what_speaks_against(model, image, label, layer):
    """Your map goes below 0. Cut off what speaks for other classes, before you divide."""
    maps, slope = slopes(model, image, label, layer)
    return _at_full_size(maps @ slope.mean(axis=(0, 1)), image)


def takes_sizes_for_signs(model, image, label, layer):
    """You take the size of what is below 0. Those places speak against the class: cut them
    off, np.maximum(..., 0)."""
    maps, slope = slopes(model, image, label, layer)
    return _at_full_size(np.abs(maps @ slope.mean(axis=(0, 1))), image)


def adds_the_maps_without_weights(model, image, label, layer):
    """You add up the maps as they are, so every class gets the same picture. Each map has a
    weight, the mean of its slopes."""
    maps, _ = slopes(model, image, label, layer)
    return _at_full_size(np.maximum(maps.sum(axis=-1), 0), image)


def weights_each_place(model, image, label, layer):
    """You multiply each place by its own slope. A map has one weight, the mean over its
    places."""
    maps, slope = slopes(model, image, label, layer)
    return _at_full_size(np.maximum((maps * slope).sum(axis=-1), 0), image)


def averages_over_the_maps(model, image, label, layer):
    """You average the slopes over the maps. Average over the places, axes 0 and 1: a weight
    for each map."""
    maps, slope = slopes(model, image, label, layer)
    found = maps.sum(axis=-1) * slope.mean(axis=-1)
    return _at_full_size(np.maximum(found, 0), image)


def does_not_divide(model, image, label, layer):
    """Your map does not go up to 1. Divide by its largest value."""
    maps, slope = slopes(model, image, label, layer)
    found = np.maximum(maps @ slope.mean(axis=(0, 1)), 0)
    return _at_full_size(found, image, top=False)


def stays_small(model, image, label, layer):
    """Your map has the size of the layer's. Make each place a block of pixels, so that it
    has the picture's."""
    maps, slope = slopes(model, image, label, layer)
    found = np.maximum(maps @ slope.mean(axis=(0, 1)), 0)
    return found / (found.max() or 1)


def cuts_each_map_off(model, image, label, layer):
    """You cut the weights off at 0 before you add. What speaks against the class in a place
    has to be subtracted there: cut off the sum."""
    maps, slope = slopes(model, image, label, layer)
    return _at_full_size(maps @ np.maximum(slope.mean(axis=(0, 1)), 0), image)


def asks_for_the_answer(model, image, label, layer):
    """You look at the class that the network names. Look at the one that was asked for."""
    named = int(np.argmax(model(np.asarray(image, "float32")[None], training=False)))
    maps, slope = slopes(model, image, named, layer)
    return _at_full_size(np.maximum(maps @ slope.mean(axis=(0, 1)), 0), image)


# %% [markdown]
# Four right answers, and the four surest wrong ones. For a wrong answer, look
# twice: what speaks for the name that was given, and what for the true one?

# %%
maps_of = [layer for layer in network.layers if len(layer.output.shape) == 4]
fits = [layer for layer in maps_of if size % layer.output.shape[1] == 0]
deep_layer = [layer.name for layer in fits if layer.output.shape[1] > 3][-1]
sure = probabilities.max(axis=1)
surest = np.argsort(-sure, kind="stable")
_, first_of_scene = np.unique(groups[held_out][surest], return_index=True)
surest = surest[np.sort(first_of_scene)]  # one picture a scene
right_ones = surest[(said == true)[surest]][:4]
wrong_ones = surest[(said != true)[surest]][:4]

# %% tags=["folded"]
# Draws these pictures, with what speaks for the name given and for the true one.
looked_at = [*right_ones, *wrong_ones]
fig, axes = plt.subplots(3, 8, figsize=(9, 4), layout="constrained")
for axis in axes[:, len(looked_at) :].flat:  # fewer than four wrong answers
    axis.set_axis_off()
for column, one in zip(axes.T, looked_at):
    shown = x[held_out][one]
    for axis, label in zip(column, (None, said[one], true[one])):
        axis.imshow(shown, alpha=1 if label is None else 0.5)
        axis.set(xticks=[], yticks=[])
        if label is not None:
            where = grad_cam(network, shown, label, deep_layer)
            axis.imshow(where, cmap="inferno", vmin=0, vmax=1, alpha=0.6)
            axis.set_title(d.class_names[label].split("_")[0], size=7)
for axis, name in zip(axes[:, 0], ("picture", "what was said", "what is true")):
    axis.set_ylabel(name, size=8)
fig.suptitle(d.title("Bright: what speaks for the name above it"))
plt.show()

# %% [markdown]
# The layer is the last one whose maps are larger than 3x3, so a bright block is
# several pixels wide, and what made it bright reaches beyond it: each place of
# a deep map has seen a large part of the picture. The map says where the
# network looked, not why. And it does not say that the place was needed: lab
# 05's grey squares do.
#
# **Think.** A network that tells Homer from Lisa is right in 97 of 100
# pictures, and its maps are bright on the sofa behind Homer. What would you do
# before you hand it out?
#
# <details><summary>One answer</summary>
#
# It has learned scenes, and a grouped split that keeps a scene on one side
# would have shown it: measure once more with whole episodes held out. Then
# train with pictures of Homer elsewhere, or with the background covered, and
# look whether the maps move to his head.
# </details>
#
# ## 11. One page for your team
#
# `kaggle.report` puts it all on one page, `report.html`: score, curves,
# confusion matrix, filters, the worst mistakes, the network. `run.npz` holds
# what the page is made of. Hand it in beside this notebook, and your
# instructor can make the page too: `labkit kaggle report run.npz`.

# %%
evidence = kaggle.Evidence.of(
    network,
    x[held_out],
    true,
    probabilities,
    d.class_names,
    history=history,
    filters_before=start,
    foretold=foretold,
    data=d.title(d.source),
)
evidence.save("run.npz")
if profile.name() != "grading":
    kaggle.report(evidence, "report.html")

# %%
results = {
    "held-out accuracy": float(np.mean(said == true)),
    "held-out macro F1": float(np.mean(f1)),
    "foretold for the test pictures": foretold.accuracy,
    "top-5 accuracy": top_k_accuracy(probabilities, true, 5),
    "first network's accuracy, drawn with replacement": measured[0],
    "first network's accuracy, random split": measured[1],
    "first network's accuracy, grouped split": measured[2],
    "data": d.source,
    "stand_in": d.stand_in,
}
Path("scores.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
results

# %% [markdown]
# ## Summary
#
# - A reader of pictures handles every mode, leaves damaged training pictures
#   out, and answers for damaged test pictures all the same.
# - A held-out score is worth as much as the split. Copies on both sides
#   measure memory. Find groups, split by groups, and draw again only
#   afterwards.
# - A submission is checked before it is uploaded: header, ids, names.
# - A score is foretold from new pictures and copies, weighted as in the test
#   set. The public score is a sample. Choosing by it is training on it.
# - A confusion matrix has true classes in rows and predicted ones in columns.
#   Recall reads along a row, precision down a column, F1 is high only if both
#   are. Macro F1 gives rare classes a say.
# - The first layer's filters can be drawn, and show edges and colours. Grad-CAM
#   weighs a deep layer's maps by their slopes, and shows where an answer comes
#   from.
#
# ## Going further
#
# - Train once more on **all** training pictures, with the recipe that the
#   held-out pictures have chosen, and submit that. Why can you no longer
#   measure it yourself?
# - Train five networks with other seeds and average their probabilities. What
#   does the leaderboard say?
# - Use larger pictures: `data.load("simpsons", size=64)`. Which entries of the
#   confusion matrix fall most?
# - Upload from a terminal: `labkit kaggle submit submission.csv --competition
#   NAME -m "first"` checks the file, says how many submissions are left today,
#   and waits for the score.
#
# ## Footnotes
#
# Where this lab and the course's slides differ:
#
# 1. A slide about this competition has such a row: two characters' names stand
#    there as one.
#
# ## Sources
#
# - The competition: [The Simpsons Characters Recognition
#   Challenge](https://www.kaggle.com/t/2d96605587334fdc9eb0fabf6756392f).
#   Pictures from *The Simpsons*, collected by A. Attia, CC BY-NC-SA 4.0.
# - A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep
#   Convolutional Neural Networks, 2012 (top-5 error, its figures 3 and 4).
# - R. Selvaraju and others: Grad-CAM: Visual Explanations from Deep Networks via
#   Gradient-based Localization, 2017. (There $y$ is the score before softmax.)
# - T. DeVries, G. Taylor: Improved Regularization of Convolutional Neural Networks
#   with Cutout, 2017.
# - S. Kaufman, S. Rosset, C. Perlich: Leakage in Data Mining, 2011 (what
#   section 4 is a case of).
