"""What a mapping is: document model, expressions, transforms, mapper, checks, the folder. Pure."""
