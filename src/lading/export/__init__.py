"""Plans and truth in other tools' formats: values → text."""
