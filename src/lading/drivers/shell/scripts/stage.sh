# Store what was uploaded, pull the images, and show what the host's own Compose makes of the release.
# LOCAL: images that nobody pulls, PULLED: those that are pulled, by digest, KEPT: an image and the tag that spares it from a
# prune; a line each. PASSWORDS: the size of each, which follow the upload on stdin; the first ENTRIES of them are entries of
# a Docker configuration, the others belong to LOGINS, lines REGISTRY USER.
# needs: prelude state-dir lease under-lease each-line unpack pull end-with-stdin compose
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

refuse_config() {
    said=$(tail -n 3 "$app_dir/config.err")
    rm -f "$app_dir/config.err"
    refuse config "$said"
}

find_state_dir
under_lease
unpack
forget_credentials_at_exit
for size in $PASSWORDS; do
    set -- "$@" "$(head -c "$size")"
done
end_with_stdin
each_line need_image "$LOCAL"
if ! has_all; then
    log_in_all "$@"
    each_line pull_image "$PULLED"
fi
each_line keep_image "$KEPT"
part dir
printf '%s\n' "$app_dir"
part config
compose config --no-path-resolution 2>"$app_dir/config.err" || refuse_config
rm -f "$app_dir/config.err"
finish
