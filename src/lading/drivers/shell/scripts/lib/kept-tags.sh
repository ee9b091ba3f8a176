# KEEP: the app's name in the tags that spare images of kept releases from a prune.

# remove_kept_tags: of all its releases
remove_kept_tags() {
    for tag in $(docker images -q --filter "reference=lading-keep/$KEEP/*" --format "{{.Repository}}:{{.Tag}}"); do
        docker image rm "$tag" >/dev/null 2>&1
    done
}
