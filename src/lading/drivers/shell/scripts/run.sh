# Run a service of the deployed release once, beside the app, for somebody who is attached to it; it changes nothing of the app,
# so it takes no lease. Another script, guard.sh, removes what is left of it.
# PROJECT: a throw-away one; OVERLAY_SIZE: bytes of stdin that are a Compose file on top of the release's, and may hold secrets;
# then the command, as shell words; NEEDED: volumes that it mounts, a line each; the words: as for print_resources.
# needs: prelude state-dir each-line compose beside-app own-streams
# may need: engine-state-dir

# need_volume NAME: it is not made for a command that goes again
need_volume() {
    docker volume inspect "$1" >/dev/null 2>&1 </dev/null || refuse volume "$1"
}

find_state_dir
project=$PROJECT
overlay=$app_dir/$project.yaml
umask 077
{ read_sent "$OVERLAY_SIZE" && print_resources "$@"; } >"$overlay" || refuse state "cannot write $overlay"
sent=$(read_sent "$SIZE")
eval "set -- $sent"
each_line need_volume "$NEEDED"
[ -n "$TTY" ] || set -- -T "$SERVICE" "$@"
[ -z "$TTY" ] || set -- "$SERVICE" "$@"
begin_streams
by=in_person
compose -p "$project" -f "$overlay" --progress quiet run --rm --no-deps "$@"
status=$?
rm -f "$overlay"
exit "$status"
