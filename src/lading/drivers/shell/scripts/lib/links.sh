# Where what is mounted of the host leads.
# needs: prelude state-dir

# read_link PATH: where it leads, as target; "" where that cannot be known: a link that ends nowhere, a folder that the SSH
# user may not enter, a newline. What does not exist is seen from the folder that does: Docker would make it there.
read_link() {
    there=$1
    below=
    until target=$(readlink -f "${there:-/}" 2>/dev/null && echo .); do
        target=
        if [ -z "$there" ] || [ -L "$there" ] || [ -e "$there" ]; then
            return
        fi
        below=/${there##*/}$below
        there=${there%/*}
        if [ -d "${there:-/}" ] && [ ! -x "${there:-/}" ]; then
            return
        fi
    done
    target=${target%"$newline".}
    target=${target%/}$below
    target=${target:-/}
    case $target in
    *"$newline"*) target= ;;
    esac
}

# tell_links PATH…: a line NUMBER TARGET for each that leads elsewhere, but into the app's own folder of data
tell_links() {
    part links
    read_link "$app_dir/project"
    own=${target:-/dev/null}
    number=0
    for path; do
        case $path in
        /*)
            read_link "$path"
            wanted=$path
            ;;
        *)
            read_link "$app_dir/project/$path"
            wanted=$own/$path
            ;;
        esac
        case $target in
        "$wanted" | "$own" | "$own"/*) ;;
        *) printf '%s %s\n' $number "$target" ;;
        esac
        number=$((number + 1))
    done
}
