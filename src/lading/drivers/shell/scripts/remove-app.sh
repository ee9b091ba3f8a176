# Remove the app's containers and networks: undo of a first deployment, and `remove`.
# RECORD: the line of the journal; STOP: services that Compose stops first; VOLUMES: 1 = its volumes and host data too;
# FORGET: 1 = lading's own files of the app, but for the journal.
# needs: prelude state-dir lease under-lease remove-network
# may need: engine-state-dir kept-tags stop-services

remove_containers() {
    ids=$(docker ps -aq --no-trunc --filter "$of_app")
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || docker rm -f $ids >/dev/null || refuse remove "a container stayed"
}

remove_networks() {
    for network in $(docker network ls --filter "$of_app" --format '{{.Name}}'); do
        remove_network "$network"
    done
}

remove_data() {
    for volume in $(docker volume ls -q --filter "$of_app"); do
        docker volume rm "$volume" >/dev/null || refuse remove "a volume stayed"
    done
    rm -rf "$app_dir/project" 2>/dev/null || part left
}

forget_app() {
    remove_kept_tags
    rm -rf "$app_dir/releases" "$app_dir/objects" "$app_dir/secrets" "$app_dir/current" "$app_dir/compose" \
        "$app_dir/anonymous"
    rmdir "$app_dir/project" 2>/dev/null
}

find_state_dir
under_lease
journal_or_refuse "$RECORD"
[ -z "$STOP" ] || stop_services
remove_containers
remove_networks
[ "$VOLUMES" = 0 ] || remove_data
[ "$FORGET" = 0 ] || forget_app
finish
