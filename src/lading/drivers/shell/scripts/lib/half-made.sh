# Compose makes a new container beside the old one, as OLDID_NAME, removes the old one and renames the new one. Where it
# was killed in between, the old one counts; once that is gone, the new one has its anonymous volumes, and its name.
# needs: prelude

# settle_half_made: each container that Compose left so is removed, or gets its name
settle_half_made() {
    docker ps -a --no-trunc --filter "$of_app" --filter status=created --format '{{.ID}} {{.Names}}' |
        while read -r id name; do
            case $name in
            [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]_*)
                if docker container inspect "${name%%_*}" >/dev/null 2>&1; then
                    docker rm "$id" >/dev/null
                else
                    docker rename "$id" "${name#*_}"
                fi
                ;;
            esac
        done
}
