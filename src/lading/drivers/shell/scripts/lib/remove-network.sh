# needs: prelude networks

# remove_network ID NAME: refused if somebody else is on it
remove_network() {
    strangers=$(strangers_on "$1")
    # shellcheck disable=SC2086 # ids
    [ -z "$strangers" ] || refuse remove "network $2 stays; on it: $(container_names $strangers)"
    said=$(docker network rm "$1" 2>&1 >/dev/null) && return 0
    case $said in
    *"No such network"*) ;;
    *) refuse remove "network $2 stays: $said" ;;
    esac
}
