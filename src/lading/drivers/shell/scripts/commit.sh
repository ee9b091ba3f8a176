# Make a release the current one; the engine is asked nothing, and the lease stays. Once more does no harm.
# COMMITTED: the line of the journal; RELEASE: the release's folder; DEPLOYED: what lies with it; CURRENT: the new `current`;
# SCRIPT: the operator's file `compose`.
# needs: prelude state-dir under-lease state-mark
# may need: engine-state-dir

# write_file PATH CONTENT: at once, and so that it stays
write_file() {
    { printf '%s\n' "$2" >"$1.new" && sync_file "$1.new" && mv "$1.new" "$1" && sync_file "${1%/*}"; } ||
        refuse_unwritable "$1"
}

write_operator_script() {
    printf '%s' "$SCRIPT" >"$app_dir/compose.new" &&
        chmod 755 "$app_dir/compose.new" &&
        mv "$app_dir/compose.new" "$app_dir/compose"
}

find_state_dir
under_lease
come_to committed "$COMMITTED"
write_file "$app_dir/releases/$RELEASE/deployed.json" "$DEPLOYED"
write_file "$app_dir/current" "$CURRENT"
write_operator_script
[ "$state_dir" != /var/lib/lading ] || forget_mark
finish
