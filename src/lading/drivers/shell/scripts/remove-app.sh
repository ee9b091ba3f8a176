# Remove the app's containers and networks: the way back of a first deployment, and `remove`.
# BEFORE, REFUSED: the lines of the journal, before it, and if it is refused halfway; AFTER: the one when all is done. STOP:
# services that Compose stops first; the words: the containers' ids, none = all; VOLUMES: 1 = its volumes and host data, too;
# SENT: names of images that were sent for it, a line each;
# FORGET: 1 = lading's own files of the app, but for the journal, and the deployment has ended.
# needs: prelude state-dir under-lease change remove-network each-line heartbeat state-mark
# may need: engine-state-dir kept-tags sent-images stop-services

# remove_containers ID…
remove_containers() {
    # shellcheck disable=SC2046 # ids
    [ $# != 0 ] || set -- $(docker ps -aq --no-trunc --filter "$of_app")
    [ $# = 0 ] || docker rm -f "$@" >/dev/null || refuse remove "a container stayed"
}

# remove_one_network "ID NAME"
remove_one_network() {
    remove_network "${1%% *}" "${1#* }"
}

remove_networks() {
    networks=$(docker network ls --no-trunc --filter "$of_app" --format '{{.ID}} {{.Name}}')
    each_line remove_one_network "$networks"
}

remove_data() {
    for volume in $(docker volume ls -q --filter "$of_app"); do
        docker volume rm "$volume" >/dev/null || refuse remove "a volume stayed"
    done
    rm -rf "$app_dir/project" 2>/dev/null || part left
}

forget_app() {
    remove_kept_tags
    each_line forget_sent "$SENT"
    rm -rf "$app_dir/releases" "$app_dir/objects" "$app_dir/secrets" "$app_dir/current" "$app_dir/compose" \
        "$app_dir/anonymous"
    rmdir "$app_dir/project" 2>/dev/null
    forget_mark
}

find_state_dir
under_lease
begin_change "$BEFORE"
[ -z "$STOP" ] || stop_services
remove_containers "$@"
remove_networks
[ "$VOLUMES" = 0 ] || remove_data
[ "$FORGET" = 0 ] || forget_app
end_change "$AFTER"
hush
[ "$FORGET" = 0 ] || free_lease
finish
