# Images that were sent from a controller: their names say their content, and no registry has them.

# forget_sent NAME: once no release of any app keeps its image; a container that is made of it keeps it, too
forget_sent() {
    case $(docker image inspect -f '{{.RepoTags}}' "$1" 2>/dev/null </dev/null) in
    '' | *lading-keep/*) ;;
    *) docker image rm "$1" >/dev/null 2>&1 </dev/null ;;
    esac
}
