# Run SERVICE once, and answer with its status and its last lines; nothing of the app is made anew.
# Beside a running app it is a throw-away project on the networks and volumes that are there. Where the app has no container
# yet there is nothing to disturb, and the app's own project makes them.
# INTENT, RESULT: the lines of the journal, before and after; OVERLAY: a Compose file on top of the release's; NEEDED: volumes
# that it mounts, a line each; the words: KIND KEY NAME JSON_NAME NUMBER of each network and volume; LIMIT: its time.
# needs: prelude state-dir under-lease each-line compose tell heartbeat beside-app
# may need: engine-state-dir

# need_volume NAME: it is not made by a hook
need_volume() {
    docker volume inspect "$1" >/dev/null 2>&1 ||
        refuse hook "volume $1 does not exist yet: deploy once without the hook"
}

print_overlay() {
    printf %s "$OVERLAY"
    [ "$project" != "$APP" ] || return 0
    print_resources "$@"
}

clean_up() {
    rm -f "$overlay"
    remove_one_offs
    if [ "$status" != 0 ]; then # the engine may have been about to start it
        sleep 1
        remove_one_offs
    fi
    if [ "$project" != "$APP" ] || [ "$status" != 0 ]; then
        remove_networks
    fi
}

find_state_dir
under_lease
overlay=$app_dir/hook.yaml
project=$APP-hook-$DEPLOYMENT
[ -n "$(docker ps -aq --filter "$of_app")" ] || project=$APP
[ "$project" = "$APP" ] || each_line need_volume "$NEEDED"
journal_or_refuse "$INTENT"
print_overlay "$@" >"$overlay" || refuse_unwritable "$app_dir"
run_told "$SERVICE" 50 compose -p "$project" -f "$overlay" run --rm --no-deps -T "$SERVICE"
clean_up
journal_or_refuse "$(with_number "$RESULT" rc "$status")"
hush
part hook
printf '%s\n' "$status"
printf '%s\n' "$output"
finish
