# The app's journal: a JSON object a line. An answer counts only once its line is on the disk.
# needs: prelude lease

# A line as words: how old its form is (3: with spaces, up to format 3; 4: since), deployment, kind, step. A quote in a
# string is escaped, so "kind": is the key; what is nested does not count.
words_of_lines='
s/^{"at":"[^"]*","v":[0-9]*,"kind":"\([a-z]*\)","deployment":"\([^"]*\)","step":"\([a-z]*\)".*/4 \2 \1 \3/p
t
s/^{"at":"[^"]*","v":[0-9]*,"kind":"\([a-z]*\)","deployment":"\([^"]*\)".*/4 \2 \1/p
t
s/^{[^{}]*"kind": *"\([a-z]*\)"[^{}]*"deployment": *"\([^"]*\)"[^{}]*"step": *"\([a-z]*\)".*/3 \2 \1 \3/p
t
s/^{[^{}]*"kind": *"\([a-z]*\)"[^{}]*"deployment": *"\([^"]*\)".*/3 \2 \1/p
'

# journal_append RECORD: a line more, with the time in it; the rest of one that was cut off is ended before
journal_append() {
    end_torn_line && printf '{"at":"%s",%s\n' "$(now)" "${1#?}" >>"$app_dir/journal" && sync_file "$app_dir/journal"
}

# end_torn_line: a byte that is no end of a line may be a zero, which a shell leaves out
end_torn_line() {
    [ -s "$app_dir/journal" ] || return 0
    { last=$(tail -c 1 "$app_dir/journal" && printf .); } 2>/dev/null || return 0
    [ "$last" = "$newline." ] || printf '\n' >>"$app_dir/journal"
}

# journal_or_refuse RECORD: nothing is done that the journal does not say
journal_or_refuse() {
    journal_append "$1" || refuse_unwritable "$app_dir/journal"
}

# come_to PHASE RECORD: it is in that phase, by this line of the journal. One that is there already may be of a command that
# could not sync it, and told nobody.
come_to() {
    if [ "$phase" != "$1" ]; then
        journal_or_refuse "$2"
    else
        sync_file "$app_dir/journal" || refuse_unwritable "$app_dir/journal"
    fi
}

# with_number RECORD KEY NUMBER: the record with a field more
with_number() {
    printf '%s,"%s":%s}' "${1%?}" "$2" "$3"
}

# with_word RECORD KEY WORD: the record with a field more, if the word needs no quoting
with_word() {
    case $3 in
    '' | *[!A-Za-z0-9:._-]*) printf %s "$1" ;;
    *) printf '%s,"%s":"%s"}' "${1%?}" "$2" "$3" ;;
    esac
}

# journal_size: as size
journal_size() {
    size=$(wc -c <"$app_dir/journal" 2>/dev/null) || size=0
    size=$((size))
}

# read_journal: phase, of DEPLOYMENT; open, the deployment that began last, with its phase as open_phase; unanswered: 1 = the
# last that it says of that one is what was about to be done, and not what became of it. Read from where the lease says that
# its deployment begins; if that is not so, whole.
read_journal() {
    lines=$(list_steps "$lease_from")
    if [ "$lease_from" != 0 ]; then
        case $lines in
        "4 $lease_deployment begin" | "4 $lease_deployment begin$newline"*) ;;
        *) lines=$(list_steps 0) ;;
        esac
    fi
    phase=none open='' open_phase=none unanswered=''
    while read -r form deployment kind step; do
        note_step
    done <<LINES
$lines
LINES
    case $open_phase in
    ended | undone) open='' ;;
    esac
}

# list_steps BYTE
list_steps() {
    tail -c "+$(($1 + 1))" "$app_dir/journal" 2>/dev/null | sed -n "$words_of_lines"
}

# note_step: form, deployment, kind and step of the next line
note_step() {
    if [ "$kind" = begin ]; then
        open=$deployment
        kind=begun
    fi
    name_phase
    [ "$deployment" != "$DEPLOYMENT" ] || phase=${reached:-$phase}
    [ "$deployment" = "$open" ] || return 0
    open_phase=${reached:-$open_phase}
    case $kind in
    rolling | undoing | intent) unanswered=1 ;;
    left | resumed) ;;
    *) unanswered='' ;;
    esac
}

# name_phase: the phase that a line reaches, as reached; "" if it is about something else. Up to format 3 a commit was the
# end, and phases were intents.
name_phase() {
    reached=''
    case $kind in
    begun | staged | rolling | rolled | failed | prepared | committed | ended | undoing | undone) reached=$kind ;;
    esac
    case "$form $kind $step" in
    "3 committed "*) reached=ended ;;
    "3 intent roll") reached=rolling ;;
    "3 intent undo") reached=undoing ;;
    "3 intent tidy") reached=rolled ;;
    esac
}

# find_phase: of DEPLOYMENT in the whole journal, for one that is not the lease's
find_phase() {
    lease_from=0
    read_journal
}

# find_highest_fence: highest, of all that began or took over since the lease's deployment began
find_highest_fence() {
    highest=0
    for fence in $(list_fences); do
        [ "$fence" -le "$highest" ] || highest=$fence
    done
}

list_fences() {
    tail -c "+$((lease_from + 1))" "$app_dir/journal" 2>/dev/null |
        sed -n -e '/"kind": *"begin"/b number' -e '/"kind": *"taken"/!d' -e ': number' \
            -e 's/.*"fence": *\([0-9]\{1,15\}\)[,}].*/\1/p'
}
