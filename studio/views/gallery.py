"""New from template: the gallery."""

from studio.gallery.page import show

show()
