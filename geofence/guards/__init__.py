"""What stands between plan and apply: pure functions that object to what cannot be meant.

Each guard looks at frozen values and returns objections, each with its own token to override it.
None of them reads a file, a clock or the kernel; who calls them decides what an objection stops.
"""
