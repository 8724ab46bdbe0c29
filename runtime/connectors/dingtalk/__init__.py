"""DingTalk (钉钉) OA approval: forms, approval instances, event callbacks."""
