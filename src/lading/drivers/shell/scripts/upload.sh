# Store what is uploaded, and show what the host's own Compose makes of the release, unless that is known.
# STAGED: the line of the journal, once it lies there; SUM_SIZE: bytes that follow the upload, the sum of what was read elsewhere.
# HOLDS: 1 = the controller has the engine tag images meanwhile: nothing is stored before it says that this is done.
# needs: prelude state-dir under-lease unpack heartbeat compose known-form held
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

ask_compose() {
    LIMIT=120
    config=$(compose config --no-path-resolution 2>"$app_dir/config.err") || refuse_config
    rm -f "$app_dir/config.err"
}

tell_form() {
    part dir
    printf '%s\n' "$app_dir"
    part config
    printf '%s\n' "$config"
}

tell_known() {
    part known
    printf '%s\n' "$reading"
}

find_state_dir
under_lease
[ "$HOLDS" = 0 ] || tell_held
incoming=$app_dir/incoming.$DEPLOYMENT
renew_while_growing 9>&- 2>/dev/null </dev/null &
watcher=$!
receive_upload
sum_elsewhere=$(head -c "$SUM_SIZE")
hush
[ "$HOLDS" = 0 ] || wait_for_word
renew_while_alive
store_upload
tell=tell_known
is_form_known "$sum_elsewhere" || {
    ask_compose
    tell=tell_form
}
keep_reading
hush
journal_or_refuse "$STAGED"
"$tell"
finish
