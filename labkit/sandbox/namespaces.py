"""The first wall: a kernel in namespaces of its own, on a file system made for it.

The child that `fork_confined` makes becomes the first process of a process namespace:
it builds the new root, drops every right, forks the kernel proper and waits for it.
What the kernel started ends with it. There is no network and no way back to the files
of the machine, because they do not exist in there.
"""

import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from labkit.files import copy_files
from labkit.sandbox import linux
from labkit.sandbox.policy import FOLDER, HOME, Policy, links_to, visible_paths

_WRITABLE = [HOME, Path("/tmp"), Path("/dev/shm")]
_DEVICES = ("null", "zero", "full", "random", "urandom")
_INODES = 65536  # each takes memory of the system's, also an empty file
_NOBODY = 65534
_STUDENT = 1000
_FLAGS = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWPID
)


def fork_confined(
    folder: Path, policy: Policy, become: Callable[[], None], kept: list[int]
) -> int:
    """Fork a kernel into namespaces; returns the process id of its first process.

    It finds a copy of `folder`'s files in FOLDER, and of this process's open files
    only those `kept`. `become` runs in the kernel and should not return; what it or
    the confinement raises is written to the first of the `kept`.
    """
    # As root there is no need for a user namespace yet: files that root alone can
    # reach, such as a Python below its home, can then be shown too.
    flags = _FLAGS if os.geteuid() == 0 else _FLAGS | linux.CLONE_NEWUSER
    outside = os.geteuid(), os.getegid()
    pid = linux.fork_into(flags)
    if pid == 0:
        try:
            _be_first(outside, folder, policy, become, kept)
        except BaseException as error:
            os.write(kept[0], f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(1)
    return pid


def _be_first(
    outside: tuple[int, int],
    folder: Path,
    policy: Policy,
    become: Callable[[], None],
    kept: list[int],
) -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    close_others(kept)
    os.umask(0o022)
    _end_first_when_memory_is_short()
    if outside[0] == 0:
        owner = _NOBODY
    else:
        owner = _STUDENT
        _map_user(*outside)
    _build_root(folder, policy, owner)
    _give_up_rights(owner)
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    kernel = os.fork()
    if kernel == 0:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            linux.prctl(linux.PR_SET_DUMPABLE, 1)
            os.setsid()
            become()
        except BaseException as error:
            os.write(kept[0], f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(1)
    close_others([])
    _wait_for(kernel, signals)


def close_others(kept: list[int]) -> None:
    """Close this process's open files but the standard ones and those kept."""
    opened = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    for file in set(opened) - {0, 1, 2, *kept}:
        with contextlib.suppress(OSError):  # the one that listed them is closed already
            os.close(file)


def _end_first_when_memory_is_short() -> None:
    Path("/proc/self/oom_score_adj").write_text("1000")


def _map_user(user: int, group: int) -> None:
    """Be the student in this user namespace, and nobody else."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_STUDENT} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{_STUDENT} {group} 1")


def _build_root(folder: Path, policy: Policy, owner: int) -> None:
    """Make a root of what a notebook needs, and forget the machine's."""
    visible = visible_paths(policy)
    links = links_to(policy)
    socket.sethostname("lab")
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    _tmpfs("/tmp", "size=1m")
    Path("/tmp/old").mkdir()
    Path("/tmp/new").mkdir()
    linux.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    _tmpfs("/new", "size=4m,mode=0755")
    # First what is written, then what is read: that may lie below /tmp.
    _make_writable(folder, policy, owner)
    for path in visible:
        _show(path)
    for place, target in links.items():
        link = Path(f"/new{place}")
        if not any(place.is_relative_to(path) for path in visible):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    _make_system_files()
    linux.restrict_mount("/new", linux.ATTR_RDONLY, below=False)
    os.chdir("/new")
    linux.pivot_root(".", ".")
    linux.unmount(".")
    os.chdir(FOLDER)


def _tmpfs(place: str, options: str) -> None:
    linux.mount("tmpfs", place, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)


def _show(path: Path) -> None:
    """Show a file or folder of the machine at its own place, to be read only."""
    source, target = Path(f"/old{path}"), Path(f"/new{path}")
    _make_place(target, folder=source.is_dir())
    linux.bind(str(source), str(target))
    attributes = linux.ATTR_RDONLY | linux.ATTR_NOSUID | linux.ATTR_NODEV
    linux.restrict_mount(str(target), attributes, below=True)


def _make_place(target: Path, *, folder: bool) -> None:
    if folder:
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _make_system_files() -> None:
    etc = Path("/new/etc")
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(
        f"student:x:{_STUDENT}:{_STUDENT}::{HOME}:/bin/sh\n"
        f"nobody:x:{_NOBODY}:{_NOBODY}::/:/bin/false\n"
    )
    (etc / "group").write_text(f"student:x:{_STUDENT}:\nnogroup:x:{_NOBODY}:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    for name in _DEVICES:
        _make_place(Path("/new/dev", name), folder=False)
        linux.bind(f"/old/dev/{name}", f"/new/dev/{name}")
    Path("/new/dev/fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path("/new/dev", name).symlink_to(f"/proc/self/fd/{number}")
    Path("/new/proc").mkdir()
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", "/new/proc", "proc", flags)


def _make_writable(folder: Path, policy: Policy, owner: int) -> None:
    """One file system in memory for all that the kernel writes: its size bounds it."""
    scratch = Path("/scratch")
    scratch.mkdir()
    who = f"uid={owner},gid={owner}"
    _tmpfs(str(scratch), f"size={policy.disk},nr_inodes={_INODES},mode=0700,{who}")
    for place in _WRITABLE:
        part = scratch / place.name
        part.mkdir()
        os.chown(part, owner, owner)
        _make_place(Path(f"/new{place}"), folder=True)
        linux.bind(str(part), f"/new{place}")
    inside = scratch / HOME.name / FOLDER.name
    copy_files(Path(f"/old{folder.resolve()}"), inside)
    for path in (inside, *inside.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def _give_up_rights(owner: int) -> None:
    """Become the student, in a user namespace where nothing can be made of that."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(owner, owner, owner)
        os.setresuid(owner, owner, owner)
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # or /proc/self stays root's
    linux.unshare(linux.CLONE_NEWUSER)
    _map_user(owner, owner)
    # No namespaces inside: one's own mounts would escape the limits on memory.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # Becoming somebody else has cleared it. Who died meanwhile cannot be waited for.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for(kernel: int, signals: set[signal.Signals]) -> None:
    """End when the kernel ends, with its status; pass on what is sent to it."""
    while True:
        received = signal.sigwait(signals)
        if received != signal.SIGCHLD:
            os.killpg(kernel, received)
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                os._exit(0)
            if pid == 0:
                break
            if pid == kernel:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)


def main() -> None:
    """Try it: end with status 0 where a confined Python can import this package."""
    code = "import labkit.checks.cell"

    def become() -> None:
        os.execv(sys.executable, [sys.executable, "-c", code])

    with tempfile.TemporaryDirectory(prefix="labkit-trial-") as folder:
        pid = fork_confined(Path(folder), Policy(), become, [2])
        _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == "__main__":
    main()
