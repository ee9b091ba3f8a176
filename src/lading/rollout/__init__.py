"""HOW FAST: hosts one after the other, and their way back."""
