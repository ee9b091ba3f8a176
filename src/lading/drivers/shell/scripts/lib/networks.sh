# Networks, by id, for Docker allows several of one name; and who else is on them.
# needs: prelude

# network_ids NAME: all that are called so
network_ids() {
    docker network ls --no-trunc --format '{{.ID}} {{.Name}}' | while read -r network name; do
        [ "$name" != "$1" ] || printf '%s\n' "$network"
    done
}

# strangers_on NETWORK: the ids of containers on it that are not the app's
strangers_on() {
    docker ps -aq --no-trunc --filter "network=$1" | while read -r container; do
        project=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.project"}}' "$container")
        [ "$project" = "$APP" ] || printf '%s\n' "$container"
    done
}

# container_names ID…: each with a space after it
container_names() {
    docker inspect -f '{{.Name}}' "$@" 2>/dev/null | tr -d / | tr '\n' ' '
}
