"""Run a server that refuses root as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from stack.errors import NotObtainableError

ACCOUNT = "tidegate"
_NEVER_BELOW = "-all,+dac_read_search"


def as_ordinary_user(*owned: Path) -> tuple[str, ...]:
    """Return what goes before a command so that it does not run as root: nothing where we are not root.

    The account is made on demand and owns the given folders. It may read everything, as the cache and a
    test's folders often lie below a home that only root may enter, and write nothing but its own:
    ``dac_read_search`` alone, with ``no_setuid_fixup`` because access(2) would otherwise not count it.
    """
    if os.geteuid() != 0:
        return ()
    user = _account()
    for folder in owned:
        _give(folder, user)
    return (
        "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
        f"--inh-caps={_NEVER_BELOW}", f"--ambient-caps={_NEVER_BELOW}", f"--bounding-set={_NEVER_BELOW}",
        "--securebits=+no_setuid_fixup",
    )  # fmt: skip


def _account() -> pwd.struct_passwd:
    for program in ("setpriv", "useradd"):
        if shutil.which(program) is None:
            raise NotObtainableError(
                f"{program} is missing: start the stack as an ordinary user, not as root"
            )
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        # Another process may make it at the same time: what counts is that it is there afterwards.
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
        subprocess.run(command, check=False, capture_output=True)
        return pwd.getpwnam(ACCOUNT)


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
