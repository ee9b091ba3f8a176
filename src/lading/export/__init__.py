"""Plans and truth in the formats of other tools: values → text (pure)."""
