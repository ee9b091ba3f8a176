# What the host's Compose makes of a file that every Compose reads alike: PROBE, with the words PROBE_OPTIONS.
# needs: prelude plugin

tell_probe() {
    part probe
    # shellcheck disable=SC2086 # words
    printf '%s' "$PROBE" | docker_compose $PROBE_OPTIONS config --no-path-resolution 2>/dev/null || printf 'refused\n'
}
