"""The sandbox's parts, held together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.dingtalk import DingTalkSimulator
from runtime.sandbox.faults import Faults
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver import WeaverSimulator
from runtime.sandbox.wecom import WeComSimulator

__all__ = ["World"]

_META = "sandbox"


@dataclass(frozen=True)
class World:
    """The simulators, their common storage and the fault switches."""

    storage: Storage
    b1: B1Simulator
    dingtalk: DingTalkSimulator
    wecom: WeComSimulator
    weaver: WeaverSimulator
    faults: Faults
    #: Where the sandbox is reached; empty = taken from each request.
    base_url: str

    @property
    def systems(self) -> dict[str, OaSimulator[Any, Any]]:
        """The approval systems by name."""
        return {oa.system: oa for oa in (self.dingtalk, self.wecom)}

    def seed_once(self) -> None:
        """Puts the demo data in place, the first time only: what was changed or deleted since stays so."""
        if "seeded" not in self.storage.load(_META):
            self.b1.seed()
            for oa in self.systems.values():
                oa.seed()
            self.weaver.seed()
            self.storage.put(_META, "seeded", True)
