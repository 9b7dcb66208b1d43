"""The gradebook: nbgrader's database, its API, and the scores in it."""
