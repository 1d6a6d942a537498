"""What hosts and bridges that are linked to each other have in common."""

import threading
from typing import List, Optional

from ._error import DeniedError
from ._hold import hold
from ._namespace import Namespace


class Lab:
    """What hosts that are linked to each other have in common: the user namespace that owns their networks. Root needs none.

    Hosts and bridges share the process's own lab unless they are given another one.
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
