# Store what is uploaded, and show what the host's own Compose makes of the release.
# STAGED: the line of the journal, once it lies there.
# needs: prelude state-dir under-lease unpack heartbeat compose
# may need: engine-state-dir

# renew_while_growing: the lease is renewed as long as bytes arrive
renew_while_growing() {
    size=
    while kill -0 $$; do
        before=$size
        wait_alone 5
        size=$(du -sk "$incoming")
        [ "$size" = "$before" ] || renew_lease 0
    done
}

refuse_config() {
    said=$(tail -n 3 "$app_dir/config.err")
    rm -f "$app_dir/config.err"
    refuse config "$said"
}

find_state_dir
under_lease
incoming=$app_dir/incoming.$DEPLOYMENT
renew_while_growing 9>&- 2>/dev/null </dev/null &
watcher=$!
receive_upload
hush
renew_while_alive
store_upload
LIMIT=120
config=$(compose config --no-path-resolution 2>"$app_dir/config.err") || refuse_config
rm -f "$app_dir/config.err"
hush
journal_or_refuse "$STAGED"
part dir
printf '%s\n' "$app_dir"
part config
printf '%s\n' "$config"
finish
