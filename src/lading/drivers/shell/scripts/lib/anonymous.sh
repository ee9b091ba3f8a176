# Compose hands the anonymous volumes of a container on to the one that replaces it, but not over one that has no mount
# there. The file `anonymous` says which ones a service's container had, by what it ran as: SERVICE CONTENT VOLUME TARGET.
# On the way back to that content those which no container has are mounted by name; one that is gone is told of.
# HAD: such lines, of now; AGAIN: SERVICE CONTENT of those that are mounted again, a line each.
# needs: prelude lease

# print_anonymous: the lines that stay, and those of HAD
print_anonymous() {
    if [ -f "$app_dir/anonymous" ]; then
        while read -r service content mount; do
            case $newline$HAD in
            *"$newline$service $content "*) ;;
            *) printf '%s %s %s\n' "$service" "$content" "$mount" ;;
            esac
        done <"$app_dir/anonymous"
    fi
    printf '%s\n' "$HAD"
}

note_anonymous() {
    { print_anonymous | tail -n 1000 >"$app_dir/anonymous.new" && mv "$app_dir/anonymous.new" "$app_dir/anonymous"; } ||
        refuse_unwritable "$app_dir"
    sync_file "$app_dir/anonymous"
}

# mount_service SERVICE CONTENT: in again.yaml, with its volumes in mounted and the lost ones in gone
mount_service() {
    first=1
    while read -r service content volume target; do
        [ "$service $content" = "$1 $2" ] || continue
        if ! docker volume inspect "$volume" >/dev/null 2>&1; then
            gone="$gone$service: $target: its anonymous volume $volume is gone, so it has a new, empty one$newline"
            continue
        fi
        [ -z "$(docker ps -aq --filter "volume=$volume")" ] || continue
        [ -z "$first" ] || printf '  "%s":\n    volumes:\n' "$service" >>"$app_dir/again.yaml"
        first=
        printf '      - {type: volume, source: "%s", target: "%s"}\n' "$volume" "$target" >>"$app_dir/again.yaml"
        mounted="$mounted  \"$volume\": {name: \"$volume\", external: true}$newline"
    done <"$app_dir/anonymous"
}

# write_again: the file again.yaml, which goes on top of the release's; fails if there is nothing to mount
write_again() {
    [ -f "$app_dir/anonymous" ] || return 1
    mounted=
    gone=
    echo services: >"$app_dir/again.yaml" || refuse_unwritable "$app_dir"
    while read -r wanted_service wanted_content <&5; do
        mount_service "$wanted_service" "$wanted_content"
    done 5<<AGAIN
$AGAIN
AGAIN
    if [ -n "$gone" ]; then
        part gone
        printf %s "$gone"
    fi
    [ -n "$mounted" ] || return 1
    printf 'volumes:\n%s' "$mounted" >>"$app_dir/again.yaml"
}
