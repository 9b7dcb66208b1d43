"""The filter of system calls, interpreted line by line: every call, on both processors."""

import errno
import struct

import pytest

from labkit.sandbox.walls import Instruction, assembled, call_filter

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, ARM = 0x40000003, 0x40000028
X32 = 0x40000000
EVERY_CALL = [*range(1024), 2**31, 2**32 - 1]
# By name as the manuals have it, so that a number that is wrong there is found here.
REFUSED = {
    "x86_64": {
        **{"shmget": 29, "semget": 64, "msgget": 68, "ptrace": 101, "pivot_root": 155},
        **{"mount": 165, "umount2": 166, "add_key": 248, "request_key": 249},
        **{"keyctl": 250, "unshare": 272, "perf_event_open": 298, "setns": 308},
        **{"process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319},
        **{"bpf": 321, "userfaultfd": 323},
    },
    "aarch64": {
        **{"umount2": 39, "mount": 40, "pivot_root": 41, "unshare": 97, "ptrace": 117},
        **{"msgget": 186, "semget": 190, "shmget": 194, "add_key": 217},
        **{"request_key": 218, "keyctl": 219, "perf_event_open": 241, "setns": 268},
        **{"process_vm_readv": 270, "process_vm_writev": 271, "memfd_create": 279},
        **{"bpf": 280, "userfaultfd": 282},
    },
}
REFUSED_ON_BOTH = {
    **{"io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430},
    **{"pidfd_getfd": 438, "mount_setattr": 442, "memfd_secret": 447},
    **{"open_tree_attr": 467},
}
CONNECTING = {
    "x86_64": {"connect": 42, "sendmsg": 46, "sendmmsg": 307},
    "aarch64": {"connect": 203, "sendmsg": 211, "sendmmsg": 269},
}
CLONE, CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
SENDTO = {"x86_64": 44, "aarch64": 206}
SOCKETS = {"x86_64": (41, 53), "aarch64": (198, 199)}

both_processors = pytest.mark.parametrize("machine", list(ARCHITECTURES))
both_kinds = pytest.mark.parametrize("connections", [True, False])


def answer(program: bytes, number: int, *arguments: int, architecture: int) -> int:
    """What the system does with a call: 0 where it is let through, else the error.

    Interprets the instructions of a classic BPF program as the system does: a jump goes
    so many instructions beyond the next one.
    """
    six = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    call = struct.pack("=IIQ6Q", number, architecture, 0, *six)
    lines = list(struct.iter_unpack("=HBBI", program))
    at = value = 0
    while True:
        operation, if_true, if_false, operand = lines[at]
        at += 1
        match operation:
            case 0x20:  # load a word of the call
                (value,) = struct.unpack_from("=I", call, operand)
            case 0x15:
                at += if_true if value == operand else if_false
            case 0x35:
                at += if_true if value >= operand else if_false
            case 0x45:
                at += if_true if value & operand else if_false
            case 0x06:
                assert operand == 0x7FFF0000 or operand >> 16 == 5, "allow, or an error"
                return 0 if operand == 0x7FFF0000 else operand & 0xFFFF
            case _:
                raise AssertionError(f"no such instruction: {operation:#x}")


@pytest.fixture
def asked(machine, connections):
    """Asks the filter of a processor: the error that it gives a call, 0 for none."""
    program = assembled(call_filter(machine, connections=connections))

    def ask(number, *arguments, architecture=ARCHITECTURES[machine]):
        return answer(program, number, *arguments, architecture=architecture)

    return ask


@both_processors
@both_kinds
def test_each_call_is_let_through_or_refused_as_it_should(machine, connections, asked):
    expected = dict.fromkeys(EVERY_CALL, 0)
    refused = {*REFUSED[machine].values(), *REFUSED_ON_BOTH.values()}
    if not connections:
        refused |= {*CONNECTING[machine].values()}
    if machine == "x86_64":
        refused |= {number for number in EVERY_CALL if number >= X32}
    expected |= dict.fromkeys(refused, errno.EPERM)
    expected[CLONE3] = errno.ENOSYS
    expected |= dict.fromkeys(SOCKETS[machine], errno.EAFNOSUPPORT)  # of family 0
    assert {number: asked(number) for number in EVERY_CALL} == expected


@both_kinds
@pytest.mark.parametrize("machine", ["x86_64"])
def test_x32_has_no_way_around_it(asked):
    assert {asked(X32 + number) for number in range(1024)} == {errno.EPERM}


@both_processors
@both_kinds
def test_another_processors_calls_are_refused(machine, asked):
    others = {I386, ARM, 0, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}
    for other in others:
        answers = {asked(number, architecture=other) for number in EVERY_CALL}
        assert answers == {errno.EPERM}


@both_processors
@both_kinds
def test_clone_makes_processes_and_threads_but_no_namespace(machine, asked):
    assert asked(CLONE[machine], 17) == 0  # what fork() does: SIGCHLD
    assert asked(CLONE[machine], 0x3D0F00) == 0  # what a new thread takes
    mount, cgroup, uts, ipc, user, pid, net = (
        *(0x20000, 0x02000000, 0x04000000, 0x08000000),
        *(0x10000000, 0x20000000, 0x40000000),
    )
    for namespace in (mount, cgroup, uts, ipc, user, pid, net):
        assert asked(CLONE[machine], namespace | 17) == errno.EPERM


@both_processors
@both_kinds
def test_only_sockets_of_some_families_are_made(machine, connections, asked):
    allowed = {1, 2, 10, 16} if connections else {1}
    for call in SOCKETS[machine]:
        made = {family for family in range(64) if asked(call, family, 1, 0) == 0}
        assert made == allowed
        assert asked(call, 40) == errno.EAFNOSUPPORT


@both_processors
@both_kinds
def test_no_address_is_sent_to_where_nothing_may_be_reached(
    machine, connections, asked
):
    refused = 0 if connections else errno.EPERM
    for address, expected in ((0, 0), (1, refused), (2**32, refused), (2**63, refused)):
        assert asked(SENDTO[machine], 3, 4, 5, 0, address, 16) == expected


def test_labels_become_distances():
    lines = [
        Instruction(0x20, 0),
        Instruction(0x15, 7, "end", "middle"),
        Instruction(0x06, 0),
        "middle",
        Instruction(0x06, 1),
        "end",
        Instruction(0x06, 2),
    ]
    assert list(struct.iter_unpack("=HBBI", assembled(lines)))[1] == (0x15, 2, 1, 7)


def test_a_label_out_of_reach_is_no_jump_into_nowhere():
    behind = ["again", Instruction(0x20, 0), Instruction(0x15, 7, "again")]
    far = [Instruction(0x15, 7, "far"), *[Instruction(0x06, 0)] * 256, "far"]
    for lines in (behind, [*far, Instruction(0x06, 1)]):
        with pytest.raises(struct.error):
            assembled(lines)
