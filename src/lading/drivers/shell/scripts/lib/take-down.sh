# Containers are stopped for a network, never removed: Compose makes the new ones from the old ones, whose anonymous volumes
# go on with them.
# SPARE: services of which what has ended stays as it is, each with a space before it.
# needs: prelude half-made networks strangers

# stop_containers FILTER
stop_containers() {
    for container in $(docker ps -q --no-trunc --filter "$1" --filter status=paused); do
        docker unpause "$container" >/dev/null
    done
    ids=$(docker ps -q --no-trunc --filter "$1")
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086 # ids
    said=$(docker stop $ids 2>&1 >/dev/null) || refuse network "its containers do not stop: $said"
}

# disconnect_containers NETWORK
disconnect_containers() {
    docker ps -a --no-trunc --filter "network=$1" \
        --format '{{.ID}} {{.State}} {{.Label "com.docker.compose.service"}}' |
        while read -r container state service; do
            case "$state $SPARE " in
            exited*" $service "*) ;;
            *) docker network disconnect -f "$1" "$container" ;;
            esac
        done
}

# take_down_network NAME: so that Compose makes it anew
take_down_network() {
    networks=$(network_ids "$1")
    for network in $networks; do
        for container in $(strangers_on "$network"); do
            detach_stranger "$1" "$network" "$container"
        done
    done
    for network in $networks; do
        stop_containers "network=$network"
        disconnect_containers "$network"
        said=$(docker network rm "$network" 2>&1 >/dev/null) || refuse network "$1 cannot be removed: $said"
    done
}

# stop_app: all of it, before everything is made anew
stop_app() {
    settle_half_made
    stop_containers "$of_app"
}
