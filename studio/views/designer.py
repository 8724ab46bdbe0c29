"""Designer: one mapping, from its source to what the approver will see."""

from studio.designer.page import show

show()
