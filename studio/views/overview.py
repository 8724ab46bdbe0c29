"""Overview: what runs, what failed, what waits."""

from studio.records.overview_page import show

show()
