# Which registries the engine reaches: each is asked for an image that is nowhere, and says so.
# REGISTRIES: a word each.
# needs: prelude

ask_registry() {
    said=$(timeout 15 docker pull -q "$1/lading-check:none" 2>&1 >/dev/null)
    printf '%s %s\n' "$1" "$(printf '%s\n' "$said" | tail -n 1)"
}

tell_registries() {
    part registries
    asked=
    for registry in $REGISTRIES; do
        ask_registry "$registry" &
        asked="$asked $!"
    done
    for pid in $asked; do
        wait "$pid"
    done
}
