"""The Linux system calls that Python has no function for."""

import ctypes
import os
import platform
import signal
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

ATTR_RDONLY = 1
ATTR_NOSUID = 2
ATTR_NODEV = 4

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

# Where the two machines differ. Calls since 2018 have one number everywhere.
_NUMBERS = {
    "x86_64": {"clone": 56, "capset": 126, "pivot_root": 155},
    "aarch64": {"clone": 220, "capset": 91, "pivot_root": 41},
}
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_CAPABILITY_VERSION_3 = 0x20080522


def machine() -> str:
    """The processor's name, as the tables of system calls have it."""
    return platform.machine()


def knows_machine() -> bool:
    """Whether this is Linux on a processor whose system calls are known here."""
    return platform.system() == "Linux" and machine() in _NUMBERS


def call(number: int, *arguments: int | ctypes.c_char_p | ctypes.c_void_p) -> int:
    """Make a system call; raises OSError."""
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc().syscall(ctypes.c_long(number), *plain))


def prctl(option: int, *arguments: int) -> int:
    """Set something of this process; raises OSError."""
    padded = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc().prctl(ctypes.c_int(option), *padded))


def unshare(flags: int) -> None:
    """Leave the namespaces that the flags name; raises OSError."""
    _checked(_libc().unshare(ctypes.c_int(flags)))


def fork_into(flags: int) -> int:
    """Fork a child into new namespaces: as os.fork(), for a process of one thread.

    The C library does not know of this fork: its handlers at fork do not run. The child
    should do little but fork again the usual way.
    """
    python = ctypes.PyDLL(None, use_errno=True)  # keeps Python's lock, as a fork must
    arguments = [ctypes.c_long(a) for a in (flags | signal.SIGCHLD, 0, 0, 0, 0)]
    python.PyOS_BeforeFork()
    pid: int = python.syscall(ctypes.c_long(_NUMBERS[machine()]["clone"]), *arguments)
    error = ctypes.get_errno()
    (python.PyOS_AfterFork_Child if pid == 0 else python.PyOS_AfterFork_Parent)()
    if pid < 0:
        raise OSError(error, os.strerror(error))
    return pid


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system, or bind a folder to another place; raises OSError."""
    words = [os.fsencode(text) for text in (source, target, kind)]
    status = _libc().mount(*words, ctypes.c_ulong(flags), options.encode())
    _checked(status, f"{kind or 'bind'} mount on {target}")


def bind(source: str, target: str) -> None:
    """Show a file or folder at another place too, with what is mounted below it."""
    mount(source, target, "", MS_BIND | MS_REC)


def restrict_mount(target: str, attributes: int, *, below: bool) -> None:
    """Add attributes to a mount, and to those below it where asked; raises OSError."""
    options = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if below else 0
    call(
        MOUNT_SETATTR,
        _AT_FDCWD,
        ctypes.c_char_p(os.fsencode(target)),
        flags,
        ctypes.c_char_p(options),
        len(options),
    )


def pivot_root(new: str, old: str) -> None:
    """Make a folder the root of this mount namespace; the old root is found at `old`."""
    words = [ctypes.c_char_p(os.fsencode(text)) for text in (new, old)]
    call(_NUMBERS[machine()]["pivot_root"], *words)


def unmount(target: str) -> None:
    """Detach a mount and all below it; raises OSError."""
    _checked(_libc().umount2(os.fsencode(target), MNT_DETACH))


def drop_capabilities() -> None:
    """Give up every capability, for this process and what it starts; raises OSError."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # the kernel has no more of them
            break
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    call(
        _NUMBERS[machine()]["capset"],
        ctypes.c_char_p(header),
        ctypes.c_char_p(bytes(24)),
    )


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    if not knows_machine():
        return 0
    try:
        return call(LANDLOCK_CREATE_RULESET, ctypes.c_void_p(None), 0, 1)
    except OSError:
        return 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(status: int, what: str = "") -> int:
    if status < 0:
        error = ctypes.get_errno()
        raise OSError(
            error, f"{what}: {os.strerror(error)}" if what else os.strerror(error)
        )
    return status
