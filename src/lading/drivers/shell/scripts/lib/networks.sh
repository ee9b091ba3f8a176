# Networks, and who else is on them.
# needs: prelude

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
