"""The low-code mapping studio (Streamlit)."""
