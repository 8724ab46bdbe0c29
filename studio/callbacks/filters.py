"""Which events the other system is to send: the filters to type in there, and the flows that wait."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from studio.callbacks.addresses import Subscription
from studio.i18n import language, plain, t
from studio.text import named

__all__ = ["show_filters"]


def show_filters(found: Sequence[Subscription]) -> None:
    """Draw the flows that wait, and their filters to copy."""
    if not found:
        st.info(t("callbacks.no_flow"))
        return
    for one in found:
        title = t(
            "callbacks.waits",
            mapping=plain(named(one.title, one.mapping)),
            flow=plain(one.flow),
            form=plain(one.form or "*"),
        )
        st.caption(title if one.enabled else f"{title} · {t('callbacks.switched_off')}")
        if one.error is not None:
            st.error(plain(one.error.sentence(language())))
        elif not one.form:
            st.caption(t("callbacks.every_form"))
    paths = dict.fromkeys(path for one in found for path in one.filters)
    if paths:
        st.code("\n".join(paths), language=None)
