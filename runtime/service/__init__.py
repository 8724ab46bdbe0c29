"""The long-running process: ASGI app, scheduler, inbox, metrics."""
