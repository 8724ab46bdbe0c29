"""The bare address leads to the overview."""

import streamlit as st

st.switch_page("views/overview.py")
