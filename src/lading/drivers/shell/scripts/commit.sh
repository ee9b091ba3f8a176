# Make a release the current one: refused, before anything is written, if a service does not run as it was judged.
# RECORD: the line of the journal; RELEASE: the release's folder; DEPLOYED: what lies with it; CURRENT: the new `current`;
# SCRIPT: the operator's file `compose`; DROP_RELEASES: folders of releases, a line each; the words are tags of theirs.
# needs: prelude state-dir lease under-lease each-line prune
# may need: engine-state-dir as-judged

# write_file PATH CONTENT: at once, and so that it stays
write_file() {
    printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1" && sync_file "$1"
}

write_operator_script() {
    printf '%s' "$SCRIPT" >"$app_dir/compose.new" &&
        chmod 755 "$app_dir/compose.new" &&
        mv "$app_dir/compose.new" "$app_dir/compose"
}

remove_release() {
    rm -rf "$app_dir/releases/$1"
}

find_state_dir
under_lease
[ -z "$JUDGED" ] || check_as_judged
journal_or_refuse "$RECORD"
write_file "$app_dir/releases/$RELEASE/deployed.json" "$DEPLOYED"
write_file "$app_dir/current" "$CURRENT"
write_operator_script
each_line remove_release "$DROP_RELEASES"
prune
[ $# = 0 ] || docker image rm "$@" >/dev/null 2>&1
release_lease
finish
