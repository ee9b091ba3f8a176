# The volumes of the host that have a name of their own, and what lies in the app's folder of data.
# MOUNTED: names of those that the app is about to mount; DATA: paths in its folder, a line each.
# needs: prelude state-dir each-line

volume_format='{"name":{{json .Name}},"driver":{{json .Driver}},"options":{{json .Options}},"labels":{{json .Labels}}}'

# tell_data PATH: what containers wrote for themselves alone cannot be looked into, and counts as something
tell_data() {
    path=$state_dir/apps/$APP/project/$1
    [ -e "$path" ] || return 0
    if [ -d "$path" ] && entries=$(ls -A "$path" 2>/dev/null) && [ -z "$entries" ]; then
        printf 'empty %s\n' "$1"
    else
        printf 'filled %s\n' "$1"
    fi
}

# tell_names: of each volume; of the app's, and of those of MOUNTED, also how they were made
tell_names() {
    named=$(timeout 30 docker volume ls --format '{{.Name}} {{.Label "com.docker.compose.project"}}' 2>/dev/null) || return 0
    part volumes
    named=$(printf '%s\n' "$named" | sed '/^[0-9a-f]\{64\} /d')
    printf '%s\n' "$named" | sed -n 's/^\([^ ]\{1,\}\) .*/\1/p'
    named=$(printf '%s\n' "$named" | sed -n "s/^\([^ ]*\) $APP\$/\1/p")
    # shellcheck disable=SC2086 # names
    [ -z "$named$MOUNTED" ] || docker volume inspect --format "$volume_format" $named $MOUNTED 2>/dev/null
}

tell_volumes() {
    [ "$ENGINE" = 1 ] || tell_names
    part data
    each_line tell_data "$DATA"
}
