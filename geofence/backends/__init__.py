"""The kernel interfaces that can hold the fence, one folder each; ``registry`` names them."""
