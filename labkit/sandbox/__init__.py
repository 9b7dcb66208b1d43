"""All that confines a submission: what it may use, the walls around it, the watch over it."""
