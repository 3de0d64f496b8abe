"""Guards: pure checks between plan and apply that object to what is most likely a mistake.

Each guard looks at frozen values and returns objections, each with its own token to override it.
None of them reads a file, a clock or the kernel; the caller decides what an objection stops.
"""
