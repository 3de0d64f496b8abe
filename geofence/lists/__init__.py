"""Bodies of lists, as publishers write them, to address space: pure functions on bytes."""
