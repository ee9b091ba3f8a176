"""THE STORY: read, place, observe, plan, confirm, run, record; undo and resume."""
