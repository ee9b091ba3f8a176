# lading's own files of an app go; its containers stay with what they mount and what the file `compose` reads.
# BEFORE, ENDED: the lines of the journal, before and after; RELEASE: the folder that stays, without its release.json.
# `current` goes last.
# needs: prelude state-dir under-lease prune kept-tags state-mark
# may need: engine-state-dir

remove_releases() {
    for folder in "$app_dir"/releases/*; do
        [ "${folder##*/}" = "$RELEASE" ] || rm -rf "$folder"
    done
    rm -f "$app_dir/releases/$RELEASE/release.json" "$app_dir/releases/$RELEASE/deployed.json"
}

find_state_dir
under_lease
journal_or_refuse "$BEFORE"
remove_releases
prune
remove_kept_tags
rm -f "$app_dir/current"
forget_mark
journal_or_refuse "$ENDED"
free_lease
finish
