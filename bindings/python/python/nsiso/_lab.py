"""Defines Lab, which owns the networks of hosts and bridges that are linked to each other."""

import threading
from typing import List, Optional

from ._error import DeniedError
from ._hold import hold
from ._namespace import Namespace


class Lab:
    """The owner of a group of hosts and bridges that can be linked to each other.

    An ordinary user can link only networks that one user namespace owns. A Lab makes this user
    namespace and keeps it open in the attribute ``user``. For root ``user`` is None, because root
    needs no user namespace.

    Hosts and bridges use the lab of this process, ``Lab.default()``, unless they are given another.
    """

    _own: Optional["Lab"] = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.user: Optional[Namespace] = None
        try:
            hold(net=True)["net"].close()
        except DeniedError:
            self.user = hold(user=True, map_root=True)["user"]

    @property
    def join(self) -> List[Namespace]:
        return [self.user] if self.user else []

    @classmethod
    def default(cls) -> "Lab":
        with cls._lock:
            if cls._own is None:
                cls._own = Lab()
            return cls._own

    def __repr__(self) -> str:
        return f"<Lab {self.user!r}>" if self.user else "<Lab of root>"
