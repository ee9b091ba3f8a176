# Pull images, and tag all so that a prune spares them.
# LOCAL: images that nobody pulls, PULLED: those that are pulled, by digest, KEPT: an image and the tag that spares it; a line
# each. PASSWORDS: the size of each, which follow on stdin; the first ENTRIES of them are entries of a Docker configuration,
# the others belong to LOGINS, lines REGISTRY USER.
# needs: prelude state-dir under-lease each-line pull heartbeat
# may need: engine-state-dir

need_image() {
    has_image "$1" || refuse absent "$1"
}

has_all() {
    for image in $PULLED; do
        has_image "$image" || return 1
    done
}

# log_in_all PASSWORD…
log_in_all() {
    entries=
    while [ "$ENTRIES" -gt 0 ]; do
        entries=$entries${entries:+,}$1
        ENTRIES=$((ENTRIES - 1))
        shift
    done
    [ -z "$entries" ] || write_entries "$entries"
    while read -r registry user; do
        [ -n "$registry" ] || continue
        log_in "$registry" "$user" "$1"
        shift
    done <<LOGINS
$LOGINS
LOGINS
}

# keep_image "IMAGE TAG"
keep_image() {
    docker tag "${1% *}" "${1#* }" || refuse pull "${1% *}" "cannot tag it"
}

find_state_dir
under_lease
forget_credentials_at_exit
for size in $PASSWORDS; do
    set -- "$@" "$(head -c "$size")"
done
live_on_bytes beat
each_line need_image "$LOCAL"
if ! has_all; then
    log_in_all "$@"
    each_line pull_image "$PULLED"
fi
each_line keep_image "$KEPT"
finish
