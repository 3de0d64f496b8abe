"""The shield: its tables, its program, and real packets through it and the fence."""
