"""How what a kernel sent becomes results: what counts, and what is said of it."""

import nbformat
import numpy as np
import pytest

from labkit.checks.protocol import MIME
from labkit.checks.references import CheckReference, Mistake
from labkit.checks.results import Result, score
from labkit.checks.values import encode
from labkit.grading.judging import MEMORISED, judge


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


DRAWN = [
    reference("shown", 1.0),
    reference("edge", 0.0, hidden=True),
    reference(
        "drawn",
        5.0,
        hidden=True,
        hidden_inputs=True,
        mistakes=(Mistake("m", "Hint.", encode(7.0)),),
    ),
    reference("drawn too", 6.0, hidden=True, hidden_inputs=True),
]


def passed(*values):
    names = [check.name for check in DRAWN]
    messages = [sent(n, v) for n, v in zip(names, values, strict=True)]
    return [result.passed for result in judge(DRAWN, cell(*messages))]


def test_answers_known_by_heart_do_not_count():
    assert passed(1.0, 0.0, 8.0, 8.0) == [False, True, False, False]
    results = judge(DRAWN, cell(sent("shown"), sent("drawn", 8.0)))
    assert results[0].message == MEMORISED


def test_half_a_solution_and_a_usual_mistake_keep_what_they_earned():
    assert passed(1.0, 0.0, 5.0, 8.0) == [True, True, True, False]
    assert passed(1.0, 0.0, 7.0, 8.0) == [True, True, False, False]


def test_points_are_shared_by_weight():
    results = [Result("a", True, weight=1), Result("b", False, weight=3)]
    assert score(results, 4) == 1
    assert score([Result("a", True), Result("b", True)], 5) == 5
