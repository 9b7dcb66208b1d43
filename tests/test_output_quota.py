"""What of a kernel's messages is kept, cut or ends a cell: no kernel is needed for it."""

import pytest

from labkit.checks.protocol import MIME
from labkit.execution.output_quota import (
    OutputLimits,
    OutputQuota,
    Unreadable,
    Verdict,
)

LIMITS = OutputLimits(
    cell_kept=100, kept=250, cell_bytes=1000, cell_messages=20, checks=300
)
KEEP, DROP, CUT = Verdict(True), Verdict(False), Verdict(False, cut=True)


def message(kind, **content):
    return {"msg_type": kind, "parent_header": {}, "content": content}


TEXT = message("stream", name="stdout", text="...")
PICTURE = message("display_data", data={"image/png": "..."}, metadata={})
RESULT = message("execute_result", data={}, metadata={}, execution_count=1)
ERROR = message("error", ename="E", evalue="", traceback=[])
CHECK = message("display_data", data={MIME: {}}, metadata={})
WIDGET = message("comm_msg", comm_id="1", data={})
IDLE = message("status", execution_state="idle")


@pytest.fixture
def quota():
    return OutputQuota(LIMITS, widgets=False)


def test_a_cell_keeps_what_fits_and_says_once_that_it_was_cut(quota):
    sizes = [60, 40, 1, 1]
    found = [quota.admit(TEXT, size) for size in sizes]
    assert found == [KEEP, KEEP, CUT, DROP]


def test_each_cell_has_room_of_its_own_until_the_notebooks_is_used_up(quota):
    found = []
    for _ in range(3):
        quota.begin_cell()
        found.append(quota.admit(PICTURE, 90))
    assert found == [KEEP, KEEP, CUT]


def test_a_cell_keeps_one_result_and_one_error_after_much_output(quota):
    quota.admit(TEXT, 101)
    found = [quota.admit(one, 10) for one in (RESULT, RESULT, ERROR, ERROR)]
    assert found == [KEEP, DROP, KEEP, DROP]


def test_what_checks_send_is_counted_apart(quota):
    quota.admit(TEXT, 101)
    assert [quota.admit(CHECK, 150) for _ in range(3)] == [KEEP, KEEP, DROP]
    quota.begin_cell()
    assert quota.admit(CHECK, 1) == CUT  # there is no other cell's room to be had
    assert quota.admit(TEXT, 1) == KEEP


def test_a_cell_that_writes_too_much_is_stopped(quota):
    found = [quota.admit(TEXT, 500) for _ in range(3)]
    assert found == [CUT, DROP, Verdict(False, stop=True)]
    assert quota.admit(ERROR, 10) == Verdict(True, stop=True)
    quota.begin_cell()
    assert quota.admit(TEXT, 10) == KEEP


def test_a_cell_that_writes_too_often_is_stopped(quota):
    found = [quota.admit(TEXT, 1) for _ in range(21)]
    assert found == [KEEP] * 20 + [Verdict(True, stop=True)]


def test_messages_that_are_no_output_count_but_always_arrive(quota):
    assert [quota.admit(IDLE, 10**6) for _ in range(30)] == [KEEP] * 30
    assert quota.admit(TEXT, 1) == Verdict(True, stop=True)


def test_widgets_are_left_out_without_a_word_and_can_flood_too(quota):
    assert quota.admit(WIDGET, 10) == DROP
    assert quota.admit(WIDGET, 1000) == Verdict(False, stop=True)
    assert OutputQuota(LIMITS, widgets=True).admit(WIDGET, 10) == KEEP


@pytest.mark.parametrize(
    "malformed",
    [
        message(5),
        {**TEXT, "content": []},
        {**TEXT, "parent_header": "x"},
        message("stream", name="elsewhere", text=""),
        message("stream", name="stdout", text=5),
        message("display_data", data=5, metadata={}),
        message("display_data", data={}),
        message("error", ename="E", evalue="", traceback="lines"),
        message("execute_input", execution_count="1"),
        message("status"),
    ],
    ids=str,
)
def test_a_malformed_message_is_refused(quota, malformed):
    with pytest.raises(Unreadable, match="cannot be read"):
        quota.admit(malformed, 1)


def test_a_text_that_claims_to_be_a_check_is_a_text(quota):
    quota.admit(TEXT, 100)
    claims = message("stream", name="stdout", text="", data={MIME: {}})
    assert quota.admit(claims, 1) == CUT
    assert quota.admit(message("error", **ERROR["content"], data=5), 1) == KEEP
