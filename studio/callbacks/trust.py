"""WeCom's trust files: taken in here, served by the runtime at the root of the site."""

from __future__ import annotations

import streamlit as st

from runtime.store.trust import TrustFiles
from studio.i18n import plain, t
from studio.workspace import Workspace, explained

__all__ = ["show_trust_files"]


def show_trust_files(space: Workspace) -> None:
    """Draw what is served, and take in what is uploaded."""
    files = TrustFiles(space.settings.var)
    st.caption(t("callbacks.wecom.trust_what"))
    given = st.file_uploader(t("callbacks.wecom.trust_upload"), type="txt", key="callbacks.trust")
    if given is not None:
        with explained():
            files.save(given.name, given.getvalue())
    public = space.settings.public_url.rstrip("/")
    for name in files.names():
        st.caption(t("callbacks.wecom.trust_served", path=plain(f"{public}/{name}")))
