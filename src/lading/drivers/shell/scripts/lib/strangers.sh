# Containers of others that a deployment takes off a network are noted in the file `detached`, and attached again once the
# network is back, by whoever brings it back.
# needs: prelude networks writable

# detach_stranger NETWORK ID CONTAINER: from the network of that name with that id
detach_stranger() {
    format="{{.Id}} {{with index .NetworkSettings.Networks \"$1\"}}"
    format=$format'{{with .IPAMConfig}}{{or .IPv4Address "-"}}{{else}}-{{end}}{{range .Aliases}} {{.}}{{end}}{{end}}'
    docker inspect -f "$format" "$3" | while read -r line; do
        printf '%s %s\n' "$1" "$line"
    done >>"$app_dir/detached" || refuse_unwritable "$app_dir"
    sync_file "$app_dir/detached"
    docker network disconnect -f "$2" "$3" || refuse network "$(container_names "$3")cannot be detached from $1"
}

# attach_strangers: all that are noted; refused if one stays off, and then they stay noted
attach_strangers() {
    [ -f "$app_dir/detached" ] || return 0
    lost=
    while read -r network container address aliases; do
        docker inspect "$container" >/dev/null 2>&1 || continue
        set --
        [ "$address" = - ] || set -- --ip "$address"
        for alias in $aliases; do
            [ "$alias" = "$(printf %.12s "$container")" ] || set -- "$@" --alias "$alias"
        done
        [ -z "$(docker ps -aq --filter "id=$container" --filter "network=$network")" ] || continue
        said=$(docker network connect "$@" "$network" "$container" 2>&1) ||
            lost="$lost$(container_names "$container")cannot be attached to $network again: $said; "
    done <"$app_dir/detached"
    [ -z "$lost" ] || refuse network "$lost"
    rm -f "$app_dir/detached"
}
