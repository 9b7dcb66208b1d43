"""How what a kernel sent becomes results: what counts, and what is said of it."""

from dataclasses import replace

import nbformat
import numpy as np
import pytest

from labkit.checks.protocol import MIME
from labkit.checks.references import CheckReference, Mistake
from labkit.checks.results import Result, score
from labkit.checks.values import encode
from labkit.grading.judging import NOT_COUNTED, counted, judge


def reference(name="one", value=1.0, **terms):
    terms = {"hidden": False, "rtol": 1e-4, "atol": 1e-6, **terms}
    return CheckReference(name, value=encode(value), **terms)


def cell(*messages, error=None):
    """A code cell that sent these messages."""
    outputs = [nbformat.v4.new_output("display_data", {MIME: m}) for m in messages]
    if error:
        kinds = {"ename": error, "evalue": "0.7316", "traceback": []}
        outputs.append(nbformat.v4.new_output("error", **kinds))
    return nbformat.v4.new_code_cell("check(...)", outputs=outputs)


def sent(name="one", value=1.0):
    return {"name": name, "value": encode(value)}


def only(results):
    (result,) = results
    return result


def test_the_right_value_passes_and_counts_once():
    assert only(judge([reference()], cell(sent()))).passed
    twice = only(judge([reference()], cell(sent(), sent())))
    assert (twice.passed, twice.message) == (False, "it was sent more than once")


def test_what_does_not_arrive_fails_with_the_reason_of_its_cell():
    assert only(judge([reference()], cell())).message == "it was never reached"
    stopped = only(judge([reference()], cell(), "The kernel died."))
    assert stopped.message == "The kernel died."
    error = only(judge([reference()], cell(error="KeyError")))
    assert error.message == "the cell stopped before it with KeyError"
    made_up = only(judge([reference()], cell(error="Leak07316")))
    assert made_up.message == "the cell stopped before it with an error"
    blank = only(judge([reference()], cell(error="NotImplementedError")))
    assert blank.message == "not written yet"


@pytest.mark.parametrize("message", [None, [], "one", 3, {}, {"name": ["one"]}])
def test_a_message_of_another_form_is_no_message(message):
    assert not only(judge([reference()], cell(message))).passed


@pytest.mark.parametrize("value", [None, 3, [], {}, {"kind": "array", "npy": "AAAA"}])
def test_a_value_that_cannot_be_read_fails(value):
    result = only(judge([reference()], cell({"name": "one", "value": value})))
    assert (result.passed, result.message) == (False, "the value could not be read")


def test_an_error_is_named_where_its_name_is_known():
    def said(kind, text="x is 0.7316", **options):
        message = {"name": "one", "error": kind, "text": text}
        return only(judge([reference(names=("f",))], cell(message), **options)).message

    assert said("ValueError") == "ValueError"
    assert said("Leak07316") == "an error of its own"
    assert said("NotImplementedError") == "not written yet"
    assert said("NameError", "name 'f' is not defined").startswith("`f` is not defined")
    assert said("NameError", "name 'leak' is not defined") == "NameError"
    assert said("ValueError", quote=True) == "ValueError: x is 0.7316"


def test_a_changed_argument_is_told_only_by_the_names_of_the_check():
    check = reference(names=("x", "f"))
    message = {**sent(value=2.0), "changed": ["x", "leak", {"a": 1}]}
    text = only(judge([check], cell(message))).message
    assert text.endswith("Your code changed `x`, which it was given to read.")
    assert only(judge([check], cell({**sent(), "changed": ["x"]}))).passed


def test_a_usual_mistake_shows_its_hint():
    mistake = Mistake("doubles", "You doubled it.", encode(2.0))
    result = only(judge([reference(mistakes=(mistake,))], cell(sent(value=2.0))))
    assert (result.message, result.hint) == ("the value is wrong.", "You doubled it.")


MISTAKEN = [
    reference("one", 1.0, mistakes=(Mistake("m", "Hint.", encode(2.0)),)),
    reference("two", 1.0, mistakes=(Mistake("m", "Hint.", encode(3.0)),)),
    reference("untouched", 1.0),
]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((2.0, 3.0, 1.0), ["Hint", "Hint", ""]),
        ((2.0, 1.0, 1.0), ["Perhaps", "", ""]),  # the mistake would spoil the second
        ((2.0, 9.0, 1.0), ["Perhaps", "", ""]),  # and in another way
        ((2.0, 3.0, 9.0), ["Perhaps", "Perhaps", ""]),  # it does not spoil the third
    ],
)
def test_a_hint_is_certain_where_all_values_of_the_cell_bear_it_out(values, said):
    names = [check.name for check in MISTAKEN]
    messages = [sent(n, v) for n, v in zip(names, values, strict=True)]
    results = judge(MISTAKEN, cell(*messages))
    assert [one.hint_word if one.hint else "" for one in results] == said


def test_of_two_mistakes_the_one_that_explains_more_gives_the_hint():
    mistakes = tuple(Mistake(m, f"You did {m}.", encode(2.0)) for m in "ab")
    both = [
        reference("one", mistakes=mistakes),
        reference("two", mistakes=mistakes[:1]),
    ]
    first, _ = judge(both, cell(sent("one", 2.0), sent("two", 1.0)))
    assert (first.hint, first.certain) == ("You did b.", True)


def test_an_error_in_place_of_a_value_bears_no_hint_out_or_against():
    error = {"name": "two", "error": "ValueError"}
    first, second, _ = judge(MISTAKEN, cell(sent("one", 2.0), error, sent("untouched")))
    assert (first.hint_word, second.hint) == ("Hint", "")


def test_predictions_are_judged_by_the_grader_s_labels_and_goal():
    check = CheckReference("one", True, encode(np.array([1, 1, 0, 0])), at_least=0.75)
    message = {"name": "one", "value": encode(np.zeros(4, int)), "at_least": 0.0}
    message["labels"] = encode(np.zeros(4, int))
    result = only(judge([check], cell(message)))
    assert result.message == "accuracy 50.0%, expected at least 75.0%"


# One exercise: what ships with the lab, what last year's course had too, and what is
# drawn. `doubles` gets half of the known ones right, `raises` has no value for an edge.
DOUBLES = "doubles"
CHECKS = [
    reference("shown", 1.0),
    reference("shown too", 2.0, mistakes=(Mistake(DOUBLES, "", encode(4.0)),)),
    reference("edge", 0.0, hidden=True),
    reference("edge too", 9.0, hidden=True),
    *(
        reference(
            name,
            value,
            hidden=True,
            hidden_inputs=True,
            mistakes=(Mistake(DOUBLES, "You doubled it.", encode(2 * value)),),
        )
        for name, value in (("drawn", 5.0), ("drawn too", 6.0))
    ),
]
CAUGHT = {"shown too", "edge too", "drawn", "drawn too"}
CHECKS = [
    replace(check, caught=(DOUBLES,) if check.name in CAUGHT else ())
    for check in CHECKS
]
KNOWN = (1.0, 2.0, 0.0, 9.0)  # the right values


def points(*values, checks=CHECKS):
    """The points of six for what was sent, None for what was not."""
    names = [check.name for check in checks]
    ran = cell(
        *(
            sent(name, value)
            for name, value in zip(names, values, strict=True)
            if value is not None
        )
    )
    return score(counted(checks, judge(checks, ran), ran), 6)


def test_values_that_others_know_earn_nothing_by_themselves():
    assert points(*KNOWN, 5.0, 6.0) == 6
    assert points(*KNOWN, None, None) == 0
    assert points(*KNOWN, 8.0, 8.0) == 0
    ran = cell(sent("shown"), sent("drawn", 8.0))
    shown = counted(CHECKS, judge(CHECKS, ran), ran)[0]
    assert (shown.passed, shown.message) == (False, NOT_COUNTED)


def test_an_honest_mistake_keeps_what_it_gets_right():
    assert points(1.0, 4.0, 0.0, 18.0, 10.0, 12.0) == 2


@pytest.mark.parametrize("forged", [{1}, {3}, {1, 3}])
def test_right_values_beside_a_mistake_earn_nothing(forged):
    honest = (1.0, 4.0, 0.0, 18.0)
    known = [KNOWN[i] if i in forged else honest[i] for i in range(4)]
    assert points(*known, 10.0, 12.0) == 2


def test_known_values_count_as_far_as_the_drawn_ones_come_out_right():
    assert points(*KNOWN, 5.0, 8.0) == 3
    assert points(1.0, 2.0, None, None, 5.0, 8.0) == 3  # no more than half, and honest
    assert points(1.0, None, None, None, 5.0, 8.0) == 2
    ran = cell(
        *(sent(c.name, v) for c, v in zip(CHECKS, (*KNOWN, 5.0, 8.0), strict=False))
    )
    shown = counted(CHECKS, judge(CHECKS, ran), ran)[0]
    assert shown.passed and "it counts for 50%" in shown.text()


def test_noise_in_the_place_of_a_mistake_gains_nothing():
    """Known values count for no more than the mistake gets right that fails so."""
    missed = {"shown", "shown too", "edge too", "drawn too"}
    slip = [
        replace(check, caught=("slip",) if check.name in missed else ())
        for check in CHECKS
    ]
    assert points(*KNOWN, 5.0, 8.0, checks=slip) == 2
    # One that fails every drawn check says nothing of this one.
    slip = [replace(check, caught=("slip",)) for check in CHECKS]
    assert points(*KNOWN, 5.0, 8.0, checks=slip) == 3


def test_known_values_still_cost_what_they_weigh():
    assert points(1.0, 2.0, None, 8.0, 5.0, 6.0) == 4


def test_an_error_in_the_place_of_a_mistake_is_no_mistake():
    raises = [
        replace(check, mistakes=()) if check.name == "drawn too" else check
        for check in CHECKS
    ]
    assert points(1.0, 4.0, 0.0, 18.0, 10.0, None, checks=raises) == 0
    ran = cell(
        *(
            sent(c.name, v)
            for c, v in zip(raises, (1.0, 4.0, 0.0, 18.0, 10.0), strict=False)
        ),
        {"name": "drawn too", "error": "TypeError"},
    )
    assert score(counted(raises, judge(raises, ran), ran), 6) == 2
    ran.outputs = ran.outputs[:4] + ran.outputs[5:]  # the error alone
    assert score(counted(raises, judge(raises, ran), ran), 6) == 0


def test_a_drawn_value_that_never_changes_is_a_known_one():
    fixed = [replace(check, fixed=check.name == "drawn") for check in CHECKS]
    assert points(*KNOWN, 5.0, None, checks=fixed) == 0
    assert points(*KNOWN, 5.0, 6.0, checks=fixed) == 6


def test_a_network_that_reaches_the_first_goal_is_one():
    """Beside goals for predictions: those missed above it take nothing off the others."""
    labels = np.array([0, 1, 0, 1])
    goals = [
        replace(reference(f"goal {goal}", labels), at_least=goal)
        for goal in (0.5, 0.75, 1.0)
    ]
    checks = [reference("parameters", 7), *goals]

    def found(predictions):
        said = [sent(goal.name, np.array(predictions)) for goal in goals]
        ran = cell(sent("parameters", 7), *said)
        return score(counted(checks, judge(checks, ran), ran), 4)

    assert found([0, 1, 0, 1]) == 4
    assert found([0, 1, 1, 0]) == 2
    assert found([1, 0, 1, 0]) == 0


def test_where_nothing_is_drawn_the_known_values_count():
    known = CHECKS[:4]
    assert points(*KNOWN, checks=known) == 6


def test_points_are_shared_by_weight():
    results = [Result("a", True, weight=1), Result("b", False, weight=3)]
    assert score(results, 4) == 1
    assert score([Result("a", True), Result("b", True)], 5) == 5
