"""NVIDIA GPUs: the facts, what they mean, and how several students share one."""
