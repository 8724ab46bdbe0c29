"""WeCom (企业微信) approval: templates, approvals, event callbacks."""
