# What a program prints, told line by line as it comes; its last lines are kept.
# TELL: how many lines of a program are told at most, 0 = none. They are so few and short that all of them fit into the window
# of a link that is cut: no program waits for whoever reads.
# needs: prelude

# run_told SUBJECT KEPT COMMAND…: as output its last lines, KEPT of them, as status how it ended. SUBJECT: what it is about.
run_told() {
    subject=$1
    kept=$2
    shift 2
    exec 4>&1
    output=$({
        "$@" 2>&1 4>&-
        printf '\n%s %s\n' "$MARKER" "$?"
    } | tell_lines "$subject" | tail -n $((kept + 2)))
    status=${output##*"$MARKER "}
    case $status in
    '' | *[!0-9]*) status=1 ;;
    esac
    output=${output%"$newline$MARKER "*}
    output=${output%"$newline"}
}

# tell_lines SUBJECT: tell the lines of stdin, and pass all of them on
tell_lines() {
    left=$TELL
    while [ "$left" -gt 0 ] && IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
        '' | "$MARKER "*) continue ;;
        esac
        left=$((left - 1))
        tell_line "$1" "$line"
    done
    [ "$left" != 0 ] || [ "$TELL" = 0 ] || tell_line "$1" "(what it says further is not told)"
    cat
}

# tell_line SUBJECT TEXT: in one piece, for others write, too; `next` lets it be read at once
tell_line() {
    printf '\n%s said\n%.300s\n%.1000s\n\n%s next\n' "$MARKER" "$1" "$2" "$MARKER" >&4
}
