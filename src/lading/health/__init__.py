"""IS IT AS IT SHOULD BE: one judge of what runs on a host, for every verb."""
