"""What came of the last try to read what a mapping reads: known when it is saved, without asking anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import streamlit as st

from runtime.errors import IntegrationError, RetryLater
from studio.designer.design import Design
from studio.designer.document import Json

__all__ = ["note", "refused"]

_STATE: Final = "designer_trial"


@dataclass(frozen=True, kw_only=True)
class _Trial:
    document: Json
    #: What ended it; None if it went well.
    error: IntegrationError | None


def note(design: Design, error: IntegrationError | None) -> None:
    """Its rows were just read as the design is now, or were refused."""
    st.session_state[_STATE] = _Trial(document=design.document, error=error)


def refused(design: Design) -> IntegrationError | None:
    """Why every run of the design as it is now would fail, as far as the last try tells."""
    trial = st.session_state.get(_STATE)
    if not isinstance(trial, _Trial) or not design.does_as(trial.document):
        return None
    # A system that was not there is no reason not to save.
    return None if isinstance(trial.error, RetryLater) else trial.error
