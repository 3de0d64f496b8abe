"""A Kubernetes node: its network, its pods, and the image that runs on it."""
