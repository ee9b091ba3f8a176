# Users of one engine whose state folders differ know nothing of each other's leases, so the engine remembers in which folder
# lading keeps an app: an empty volume, whose labels say so. The engine makes it once, whoever asks first.
# MARK: what the controller has read of it, "USER FOLDER"; "-" = there is none; "" = it is not known.
# needs: prelude state-dir gone

# read_mark: marked_dir, the app's folder as the engine remembers it, and marked_user, whose that is; empty if it does not
read_mark() {
    case ${MARK:-} in
    '') ask_mark ;;
    -) said=' ' ;;
    *) said=$MARK ;;
    esac
    marked_user=${said%% *}
    marked_dir=${said#* }
}

ask_mark() {
    said=$(docker volume inspect -f '{{index .Labels "lading.user"}} {{index .Labels "lading.folder"}}' \
        "lading-state-$APP" 2>/dev/null) || said=' '
}

# is_marked_here: where two paths lead to one folder, it is the same
is_marked_here() {
    [ "$marked_dir" = "$app_dir" ] || [ "$(cd "$marked_dir" 2>/dev/null && pwd -P)" = "$(cd "$app_dir" && pwd -P)" ]
}

# mark_state: refused where lading keeps the app in another folder. What was kept in a folder that is gone hinders nobody, nor
# does an engine that makes no volume. All who use /var/lib/lading meet there: it is marked while the app is new there, until
# there are containers that others see.
mark_state() {
    [ "$state_dir" != /var/lib/lading ] || [ ! -s "$app_dir/journal" ] || return 0
    read_mark
    if [ -n "$marked_dir" ] && ! is_marked_here && is_gone "$marked_dir"; then
        docker volume rm "lading-state-$APP" >/dev/null 2>&1
        marked_dir=
    fi
    if [ -z "$marked_dir" ]; then
        docker volume create --label "lading.folder=$app_dir" --label "lading.user=$(id -un)" "lading-state-$APP" >/dev/null 2>&1
        MARK=
        read_mark
    fi
    [ -z "$marked_dir" ] || is_marked_here || refuse elsewhere "$marked_dir" "$marked_user"
}

# forget_mark: nothing of the app is kept here any more
forget_mark() {
    read_mark
    [ -z "$marked_dir" ] || ! is_marked_here || docker volume rm "lading-state-$APP" >/dev/null 2>&1
}

# tell_marks: of all apps, where the engine remembers that lading keeps them. Where all users share a folder, and the app is
# in it, nobody need be asked.
tell_marks() {
    if [ "$state_dir" = /var/lib/lading ] && { [ -z "$APP" ] || [ -d "$app_dir" ]; }; then
        return 0
    fi
    part marks
    [ "${ENGINE:-0}" = 0 ] || return 0
    timeout 30 docker volume ls --filter label=lading.folder \
        --format '{{.Name}} {{.Label "lading.user"}} {{.Label "lading.folder"}}' 2>/dev/null
}
