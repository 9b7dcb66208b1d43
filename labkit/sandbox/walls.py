"""What a kernel's own process gives up before it runs a student's code.

Landlock (files, TCP, signals), a filter of system calls, and limits. They hold in any
namespace, and for everything that the process starts.
"""

import contextlib
import ctypes
import os
import stat
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from labkit.sandbox import linux
from labkit.sandbox.policy import Policy

if sys.platform != "win32":
    import resource

# Landlock's rights on files, from its header file.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 5: 16}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP = 3  # bind and connect
_SCOPES = 3  # abstract Unix sockets and signals


def set_limits(policy: Policy, *, own_user: bool) -> None:
    """Bound this process: memory, processor time, files, processes.

    The system counts processes by user: only one who has none but these
    (`own_user`) can be given a limit on them.
    """
    if sys.platform == "win32":
        return
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": policy.cpu_seconds,
        "RLIMIT_DATA": policy.memory,
        "RLIMIT_FSIZE": policy.disk,
        "RLIMIT_NOFILE": policy.open_files,
    }
    if own_user:
        limits["RLIMIT_NPROC"] = policy.processes
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))


def allow_files(readable: list[Path], writable: list[Path]) -> None:
    """Let this process reach these files and folders alone, no TCP and no other process.

    As much of it as the machine's Landlock can; without Landlock nothing changes.
    """
    version = linux.landlock_version()
    if version == 0:
        return
    count = max(n for v, n in _RIGHTS_BY_VERSION.items() if v <= version)
    handled = (1 << count) - 1
    ruleset = _ruleset(version, handled)
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        for path in writable:
            _allow(ruleset, path, handled)
        for device in ("null", "zero", "full", "random", "urandom", "tty"):
            _allow(ruleset, Path("/dev", device), (_READ_FILE | _WRITE_FILE) & handled)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        linux.call(linux.LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _ruleset(version: int, handled: int) -> int:
    network = _TCP if version >= 4 else 0
    scopes = _SCOPES if version >= 6 else 0
    fields = struct.pack("QQQ", handled, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    return linux.call(linux.LANDLOCK_CREATE_RULESET, ctypes.c_char_p(fields), size, 0)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= _OF_FILES
            rule = struct.pack("=Qi", rights, place)
            linux.call(linux.LANDLOCK_ADD_RULE, ruleset, 1, ctypes.c_char_p(rule), 0)
        finally:
            os.close(place)


# What a notebook has no use for, by its number on x86-64 and on AArch64: memory and
# counters that no limit counts, the keys of the user who grades, other processes'
# insides, mounts and namespaces of one's own.
_REFUSED = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "fsopen": (430, 430),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "msgget": (68, 186),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setns": (308, 268),
    "shmget": (29, 194),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
# Refused where nothing of the machine may be reached over a socket.
_CONNECTING = {"connect": (42, 203), "sendmmsg": (307, 269), "sendmsg": (46, 211)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SENDTO, _SOCKET, _SOCKETPAIR = (44, 206), (41, 198), (53, 199)
_ARCHITECTURE = (0xC000003E, 0xC00000B7)
_MACHINES = ("x86_64", "aarch64")
_NAMESPACES = 0x7E020000  # every CLONE_NEW... flag that clone() takes
_X32 = 0x40000000
_UNIX, _IPV4, _IPV6, _NETLINK = 1, 2, 10, 16  # netlink looks names up

_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT, _AT_FIFTH_ARGUMENT = 0, 4, 16, 48


class Instruction(NamedTuple):
    """A line of a filter, and the labels to go on at; where there is none, the next line."""

    operation: int
    value: int
    if_true: str = ""
    if_false: str = ""


def filter_calls(*, connections: bool) -> None:
    """Refuse system calls that a notebook has no use for, from here on; raises OSError.

    Without `connections` there is no way to a service of this machine: for a kernel
    that shares its network and its files.
    """
    if not linux.knows_machine():
        return
    program = assembled(call_filter(linux.machine(), connections=connections))
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    kept = ctypes.create_string_buffer(header, len(header))
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.addressof(kept))


def assembled(lines: list[Instruction | str]) -> bytes:
    """The program as the system takes it; a text among the lines is a label.

    Raises struct.error where a label is behind or more than 255 lines ahead.
    """
    places: dict[str, int] = {}
    program: list[Instruction] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(program)
        else:
            program.append(line)

    def skipped(number: int, label: str) -> int:
        return places[label] - number - 1 if label else 0

    return b"".join(
        struct.pack(
            "HBBI",
            line.operation,
            skipped(number, line.if_true),
            skipped(number, line.if_false),
            line.value,
        )
        for number, line in enumerate(program)
    )


def call_filter(machine: str, *, connections: bool) -> list[Instruction | str]:
    """The filter for a processor, as `assembled` takes it."""
    column = _MACHINES.index(machine)
    refused = [numbers[column] for numbers in _REFUSED.values()]
    families: tuple[int, ...] = (_UNIX, _IPV4, _IPV6, _NETLINK)
    looked_at = {"clone": _CLONE, "socket": _SOCKET, "socketpair": _SOCKETPAIR}
    if not connections:
        refused += [numbers[column] for numbers in _CONNECTING.values()]
        families = (_UNIX,)
        looked_at["sendto"] = _SENDTO
    is_x86 = machine == "x86_64"  # which has the same calls under other numbers, too
    return [
        Instruction(_LOAD, _AT_ARCHITECTURE),
        Instruction(_EQUAL, _ARCHITECTURE[column], "", "refused"),
        Instruction(_LOAD, _AT_NUMBER),
        *[Instruction(_AT_LEAST, _X32, "refused")] * is_x86,
        *(Instruction(_EQUAL, number, "refused") for number in refused),
        Instruction(_EQUAL, _CLONE3[column], "missing"),
        *(Instruction(_EQUAL, n[column], call) for call, n in looked_at.items()),
        Instruction(_RETURN, _ALLOW),
        "clone",
        Instruction(_LOAD, _AT_FIRST_ARGUMENT),
        Instruction(_ANY_BIT, _NAMESPACES, "refused", "allowed"),
        "sendto",  # with an address
        Instruction(_LOAD, _AT_FIFTH_ARGUMENT),
        Instruction(_EQUAL, 0, "", "refused"),
        Instruction(_LOAD, _AT_FIFTH_ARGUMENT + 4),
        Instruction(_EQUAL, 0, "allowed", "refused"),
        "socket",
        "socketpair",
        Instruction(_LOAD, _AT_FIRST_ARGUMENT),
        *(Instruction(_EQUAL, family, "allowed") for family in families),
        Instruction(_RETURN, _ERROR | _EAFNOSUPPORT),
        "missing",  # its flags lie in memory, where a filter cannot look: use clone()
        Instruction(_RETURN, _ERROR | _ENOSYS),
        "refused",
        Instruction(_RETURN, _ERROR | _EPERM),
        "allowed",
        Instruction(_RETURN, _ALLOW),
    ]
