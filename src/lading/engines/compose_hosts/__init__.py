"""Plain `docker compose` on hosts, driven one by one: a run per host, and who coordinates them."""
