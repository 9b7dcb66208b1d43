"""The leaderboard of a competition: its settings, its teams, its points in the gradebook."""
