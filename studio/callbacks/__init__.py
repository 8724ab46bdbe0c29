"""How other systems reach the runtime: callbacks of the approval systems, and HTTP flows."""
