# What lies where a project mounts the host: salted sums of files, and which two places are one.
# The words: content NUMBER PATH, or same NUMBER PLACE PATH with the place in the app's folder. NONCE: the salt.
# needs: prelude end-with-stdin engine-state-dir

# print_sum PATH NAME: x for a program, else -; the sum; the name
print_sum() {
    sum=$({
        printf '%s' "$NONCE"
        cat "$1"
    } 2>/dev/null | sha256sum)
    executable=-
    [ ! -x "$1" ] || executable=x
    printf '%s %s %s\n' $executable "${sum%% *}" "$2"
}

# tell_content NUMBER PATH: of a file, or of all files below a folder; nothing of what cannot be read
tell_content() {
    if [ -f "$2" ] && [ -r "$2" ]; then
        part "lies:$1"
        print_sum "$2" ''
    elif [ -d "$2" ] && cd "$2"; then
        part "lies:$1"
        find . -type f -o -type l | while IFS= read -r path; do
            print_sum "$path" "${path#./}"
        done
        cd /
    fi
}

# tell_same NUMBER PLACE PATH
tell_same() {
    [ "$(readlink -f "$app_dir/$2")" != "$(readlink -f "$3")" ] || part "same:$1"
}

end_with_stdin
find_state_dir
while [ $# -gt 0 ]; do
    case $1 in
    content)
        tell_content "$2" "$3"
        shift 3
        ;;
    same)
        tell_same "$2" "$3" "$4"
        shift 4
        ;;
    esac
done
finish
