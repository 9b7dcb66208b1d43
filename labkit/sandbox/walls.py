"""What a kernel's own process gives up before it runs a student's code.

Landlock (files, TCP, signals), a filter of system calls, and limits. They hold in any
namespace, and for everything that the process starts.
"""

import contextlib
import ctypes
import os
import stat
import struct
from pathlib import Path

from labkit.sandbox import linux
from labkit.sandbox.policy import Policy

try:
    import resource
except ImportError:  # Windows
    resource = None

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
    if resource is None:
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


# What a notebook has no use for: memory that no limit counts, the keys of the user who
# grades, other processes' insides, mounts and namespaces of one's own.
_REFUSED = {
    "x86_64": {
        "shmget": 29,
        "msgget": 68,
        "ptrace": 101,
        "pivot_root": 155,
        "mount": 165,
        "umount2": 166,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "setns": 308,
        "memfd_create": 319,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "unshare": 97,
        "ptrace": 117,
        "msgget": 186,
        "shmget": 194,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "perf_event_open": 241,
        "setns": 268,
        "memfd_create": 279,
        "bpf": 280,
        "userfaultfd": 282,
    },
}
_REFUSED_EVERYWHERE = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "mount_setattr": 442,
    "memfd_secret": 447,
}
_CLONE3 = 435
_SOCKET = {"x86_64": 41, "aarch64": 198}
_CONNECTING = {
    "x86_64": {"connect": 42, "sendmsg": 46, "sendmmsg": 307},
    "aarch64": {"connect": 203, "sendmsg": 211, "sendmmsg": 269},
}
_SENDTO = {"x86_64": 44, "aarch64": 206}
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
_CLONE = {"x86_64": 56, "aarch64": 220}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FAMILIES = (1, 2, 10, 16)  # Unix, IPv4, IPv6, and netlink, which looks names up
_NAMESPACES = 0x7E020000  # every CLONE_NEW... flag that clone() takes
_X32 = 0x40000000

_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT, _AT_FIFTH_ARGUMENT = 0, 4, 16, 48


def filter_calls(*, connections: bool) -> None:
    """Refuse system calls that a notebook has no use for, from here on; raises OSError.

    Without `connections` there is no way to a service of this machine: for a kernel
    that shares its network and its files.
    """
    name = linux.machine()
    if not linux.knows_machine():
        return
    program = b"".join(
        struct.pack("HBBI", *line) for line in _program(name, connections)
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    kept = ctypes.create_string_buffer(header, len(header))
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.addressof(kept))


def _program(name: str, connections: bool) -> list[tuple[int, int, int, int]]:
    """The filter: (operation, lines to skip if true, if false, value) a line."""
    refuse = (_RETURN, 0, 0, _ERROR | _EPERM)
    lines = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURE[name]),
        refuse,
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    if name == "x86_64":  # the same calls under other numbers
        lines += [(_AT_LEAST, 0, 1, _X32), refuse]
    for number in (*_REFUSED[name].values(), *_REFUSED_EVERYWHERE.values()):
        lines += [(_EQUAL, 0, 1, number), refuse]
    # Its flags lie in memory, where a filter cannot look. Without it clone() is used.
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | _ENOSYS)]
    lines += [
        (_EQUAL, 0, 3, _CLONE[name]),
        (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NAMESPACES),
        refuse,
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    if not connections:
        for number in _CONNECTING[name].values():
            lines += [(_EQUAL, 0, 1, number), refuse]
        lines += [
            (_EQUAL, 0, 6, _SENDTO[name]),
            (_LOAD, 0, 0, _AT_FIFTH_ARGUMENT),
            (_EQUAL, 0, 2, 0),
            (_LOAD, 0, 0, _AT_FIFTH_ARGUMENT + 4),
            (_EQUAL, 1, 0, 0),
            refuse,  # it names an address
            (_LOAD, 0, 0, _AT_NUMBER),
        ]
    lines += _families_of(_SOCKET[name], _FAMILIES)
    lines += _families_of(_SOCKETPAIR[name], _FAMILIES)
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def _families_of(
    number: int, families: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """Lines that let a system call pass for these families of sockets alone."""
    tests = [(_EQUAL, len(families) - n, 0, f) for n, f in enumerate(families)]
    return [
        (_EQUAL, 0, len(tests) + 3, number),
        (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        *tests,
        (_RETURN, 0, 0, _ERROR | _EAFNOSUPPORT),
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
