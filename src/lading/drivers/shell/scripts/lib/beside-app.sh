# A throw-away project beside an app: on the networks and volumes that are there.
# needs: prelude

# print_resources KIND KEY NAME JSON_NAME NUMBER …: each network and volume, the app's own one, or one of the throw-away project
print_resources() {
    kind=
    while [ $# -gt 0 ]; do
        [ "$kind" = "$1" ] || printf '%ss:\n' "$1"
        kind=$1
        print_resource "$@"
        shift 5
    done
}

print_resource() {
    if docker "$1" inspect "$3" >/dev/null 2>&1 </dev/null; then
        printf '  %s: !override {name: %s, external: true}\n' "$2" "$4"
    else
        printf '  %s: {name: "%s"}\n' "$2" "$project-$5"
    fi
}

# remove_one_offs: removed, the ids of those that there were
remove_one_offs() {
    removed=$(docker ps -aq --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=True)
    # shellcheck disable=SC2086 # ids
    [ -z "$removed" ] || docker rm -f $removed >/dev/null
}

remove_networks() {
    for network in $(docker network ls -q --filter "label=com.docker.compose.project=$project"); do
        docker network rm "$network" >/dev/null 2>&1
    done
}
