"""What this computer is: its cores, its GPUs, and what TensorFlow says as it starts."""
