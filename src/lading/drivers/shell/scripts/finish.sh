# The deployment has ended here, if the app's containers are as EXPECTED; else they are shown, to be judged.
# ENDED: the line of the journal; DROP_RELEASES: folders of releases that go, a line each; the words: tags of theirs.
# SENT: names of images of theirs that were sent, a line each.
# HOLDS: 1 = the controller takes tags away meanwhile.
# needs: prelude state-dir under-lease as-expected each-line prune heartbeat held sent-images
# may need: engine-state-dir

remove_release() {
    rm -rf "$app_dir/releases/$1"
}

find_state_dir
under_lease
if is_as_expected; then
    journal_or_refuse "$ENDED"
    each_line remove_release "$DROP_RELEASES"
    prune
    [ $# = 0 ] || docker image rm "$@" >/dev/null 2>&1
    each_line forget_sent "$SENT"
    hush
    [ "$HOLDS" = 0 ] || hold_for_controller
    free_lease
    part ended
else
    hush
    tell_containers
fi
finish
