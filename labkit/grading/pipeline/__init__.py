"""Our parts of nbgrader's pipeline."""
