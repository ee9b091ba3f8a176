"""Questions: what runs where, in what it differs, what was done, what it says, whether a host can be used."""
