"""What people type: one file per noun, one error catch, all colour in one place."""
