# What lies in lading's folders of apps: in few processes, however many apps and files there are.
# JOURNAL: recent = since the current deployment began, or all = all that a host shows.
# REACH: lines "APP DEPLOYMENT", which what is shown of a journal must reach back to.
# RELEASES: named = by `current` and by what is shown of the journal, or kept = all, with what lies
# beside them.
# FILES: 1 = sums of the current release's files, and what lay in its folders when they were shipped;
# STOCK: 1 = which objects and secrets there are.
# NONCE: salts the sums of secrets, so that no dictionary helps who reads the answer; without it
# there are none.
# HOST: what the host is called, or "".
# needs: prelude uptime

tab='	'

# Tells what the list on stdin names: first the list, see list_contents, then, after its line
# "journals", what `tail` says of all journals, each after a line "==> APP/journal <==".
# A journal is shown from the first beginning that is wanted. One whose last lines do not reach back
# to that is read by itself, and so is one that has a line in it which looks like `tail`'s own.
# Below, i is an app's number, and l a line's in its journal; parameters behind a gap are locals.
# Exit status 3: a deployment was begun for a host of another name.
# shellcheck disable=SC2016 # awk's
contents_program='
# A part of the answer begins, as by part in the shell
function tell(name) {
    printf "\n%s %s\n", marker, name
}
function tell_text(name, text) {
    tell(name)
    printf "%s", text
}
function tell_file(place,    line) {
    while ((getline line < place) > 0) print line
    close(place)
}
function text_of(place,    line, text) {
    while ((getline line < place) > 0) text = text line "\n"
    close(place)
    return text
}
# If the line begins a deployment, remember where: the first one counts
function note_begin(i, l, line,    id) {
    if (!match(line, /"kind":"begin","deployment":"[^"]*"/)) return
    id = substr(line, RSTART + 29, RLENGTH - 30)
    if (!((i, id) in begin)) begin[i, id] = l
}
# Keep a line of a journal until it is known from where on it is shown
function note_line(i, line) {
    lines[i, ++count[i]] = line
    note_begin(i, count[i], line)
}
# The deployment that a `current` names, or ""
function deployment_of(text) {
    if (!match(text, /"deployment": *"[^"]*"/)) return ""
    text = substr(text, RSTART, RLENGTH - 1)
    sub(/.*"/, "", text)
    return text
}
# From which line on a journal is shown: the first of all beginnings that are wanted. 0 = one of
# them is not among the lines, or it is not known which they are: `current` has no "changed", or a
# release no deployed.json
function first_line(i,    ids, number, id, first) {
    if (ENVIRON["JOURNAL"] == "all") return 1
    if (i in bare || !index(current[i], "\"changed\":")) return 0
    number = split(since[i] deployment_of(current[i]), ids, "\n")
    for (id = 1; id <= number; id++) {
        if (!((i, ids[id]) in begin)) return 0
        if (!first || begin[i, ids[id]] < first) first = begin[i, ids[id]]
    }
    return first
}
# Read a journal anew, as far back as a host shows one: its name needs no quotes, see is_app
function read_alone(i,    line, command) {
    for (line in begin) if (index(line, i SUBSEP) == 1) delete begin[line]
    count[i] = 0
    command = "tail -n " longest " " apps[i] "/journal 2>/dev/null"
    while ((command | getline line) > 0) note_line(i, line)
    close(command)
}
# Tell a journal; what it names is remembered for is_wanted
function tell_journal(i,    first, l, line) {
    first = (i in mixed) ? 0 : first_line(i)
    if (!first && i in journal) {
        read_alone(i)
        first = first_line(i)
    }
    tell("journal:" apps[i])
    for (l = first ? first : 1; l <= count[i]; l++) {
        line = lines[i, l]
        print line
        named[i] = named[i] line
        if (line !~ /"kind":"begin".*"engine":/) continue
        if (!index(line, "\"host\":\"" ENVIRON["HOST"] "\"")) other = 3
    }
}
# Whether a release is told of. Its first 12 digits do: some folders are called by no more
function is_wanted(i, release) {
    return ENVIRON["RELEASES"] == "kept" || index(named[i], substr(release, 1, 12))
}
# Tell the files of an app that are on the list, which has them in the order of the apps
function tell_files(i) {
    while (told < last[i]) {
        told++
        if (!is_wanted(i, release[told])) continue
        tell(part[told])
        tell_file(path[told])
    }
}
BEGIN {
    FS = "\t"
    marker = ENVIRON["MARKER"]
    shown = 0
}
# The list: an app, then what lies in its folder
!reading && $1 == "app" {
    apps[++number] = $2
    place[$2] = number
    next
}
!reading && $1 == "since" {
    if ($2 in place) since[place[$2]] = since[place[$2]] $3 "\n"
    next
}
!reading && $1 == "current" {
    named[number] = current[number] = text_of($2)
    next
}
!reading && $1 == "lease" {
    lease[number] = $2
    next
}
!reading && $1 == "journal" {
    journal[number] = 1
    head["==> " $2 " <=="] = number
    next
}
!reading && $1 == "bare" {
    bare[number] = 1
    next
}
!reading && $1 == "file" {
    part[++files] = $2
    path[files] = $3
    release[files] = $4
    last[number] = files
    next
}
# The list has ended. tail is given /dev/null last, so that it heads even a single journal
!reading {
    reading = 1
    head["==> /dev/null <=="] = number + 1
    next
}
# The head of a journal. One that goes back shows that another was but a line of some journal: all
# from the one before on may have got lines of each other
$0 in head {
    for (i = head[$0] - 1; head[$0] <= shown && i <= shown; i++) mixed[i] = 1
    shown = head[$0]
    next
}
{
    note_line(shown, $0)
}
END {
    for (i = 1; i <= number; i++) {
        if (i in current) tell_text("current:" apps[i], current[i])
        tell("lease:" apps[i])
        if (i in lease) tell_file(lease[i])
        printf "%s", ENVIRON["CLOCK"]
        tell_journal(i)
        tell_files(i)
    }
    exit other
}
'

# Lines "APP FOLDER": the release that each `current` on the list names first, before any other
# object, since "changed" names releases of earlier deployments.
# shellcheck disable=SC2016 # awk's
current_program='
{
    text = ""
    if ((getline text < ($0 "/current")) > 0 && match(text, /^[{][^{]*"release":"[0-9a-f]+"/)) {
        text = substr(text, 1, RLENGTH - 1)
        sub(/.*"/, "", text)
        print $0, text
    }
    close($0 "/current")
}
'

# What sha256sum says of the files of many apps, as a part for each, with "link" for the sum of a
# link; and as another what the release has written down of its folders. SUMMED: lines "APP FOLDER".
# shellcheck disable=SC2016 # awk's
sums_program='
function tell(name) {
    printf "\n%s %s\n", ENVIRON["MARKER"], name
}
function tell_file(place,    line) {
    while ((getline line < place) > 0) print line
    close(place)
}
BEGIN {
    number = split(ENVIRON["SUMMED"], summed, "\n") - 1
    for (i = 1; i <= number; i++) {
        split(summed[i], words, " ")
        apps[i] = words[1]
        folders[i] = words[2]
        place[words[1]] = i
    }
}
# A path alone is that of a link
!/^\\?[0-9a-f]+  / {
    $0 = "link  " $0
}
# "SUM  APP/PATH" becomes "SUM  PATH"
{
    app = path = substr($0, index($0, "  ") + 2)
    sub(/\/.*/, "", app)
    if (!(app in place)) next
    i = place[app]
    lines[i, ++count[i]] = substr($0, 1, index($0, "  ") + 1) substr(path, length(app) + 2)
}
END {
    for (i = 1; i <= number; i++) {
        tell("sums:" apps[i] ":" folders[i])
        for (l = 1; l <= count[i]; l++) print lines[i, l]
        tell("shipped:" apps[i] ":" folders[i])
        tell_file(apps[i] "/releases/" folders[i] "/shipped.json")
    }
}
'

# is_app NAME: it may be an app, whose name stands in a command without quotes
is_app() {
    case $1 in
    '' | [!a-z0-9]* | *[!a-z0-9_-]*) return 1 ;;
    esac
}

# list_file WORD PATH [MORE]: a line of the list, in entries; what is there and no file is told as empty
list_file() {
    if [ -f "$2" ]; then
        entries=$entries$1$tab$2${3:-}$newline
    elif [ -e "$2" ]; then
        entries=$entries$1$tab/dev/null${3:-}$newline
    fi
}

# list_releases APP
list_releases() {
    for path in "$1"/releases/*/release.json; do
        folder=${path%/release.json}
        case $folder in
        *[$tab$newline]*) continue ;;
        esac
        [ -f "$path" ] || continue
        name=${folder##*/}
        list_file "file${tab}release:$1:$name" "$path" "$tab$name"
        [ "$RELEASES" = kept ] || continue
        list_file "file${tab}deployed:$1:$name" "$folder/deployed.json" "$tab$name"
        [ -e "$folder/deployed.json" ] || entries=${entries}bare$newline
    done
}

# list_contents APP…: for contents_program; an app at a time, since every write wakes who reads
list_contents() {
    for app in "$@"; do
        entries=app$tab$app$newline
        list_file current "$app/current"
        list_file lease "$app/lease"
        list_file journal "$app/journal"
        list_releases "$app"
        printf %s "$entries"
    done
    printf '%s\n' "$REACH" | while read -r app deployment; do
        [ -z "$deployment" ] || printf 'since\t%s\t%s\n' "$app" "$deployment"
    done
    printf 'journals\n'
}

# list_journals APP…
list_journals() {
    for app in "$@"; do
        [ ! -f "$app/journal" ] || printf '%s/journal ' "$app"
    done
}

# tell_contents APP…: files, and journals. begun_elsewhere: 1 = one of them tells of a host of
# another name. What awk could not tell must not count as absent.
tell_contents() {
    longest=500 window=60
    [ "$JOURNAL" = recent ] || window=$longest
    {
        list_contents "$@"
        # shellcheck disable=SC2046 # names of apps
        tail -n "$window" $(list_journals "$@") /dev/null 2>/dev/null
    } | MARKER=$MARKER JOURNAL=$JOURNAL RELEASES=$RELEASES HOST=$HOST \
        CLOCK="nowboot=$boot${newline}now=$uptime$newline" \
        awk -v "longest=$longest" "$contents_program"
    case $? in
    0) ;;
    3) begun_elsewhere=1 ;;
    *) part broken ;;
    esac
}

# tell_sums APP…: of the files of their current releases. A newline in a path could begin the line of
# another file: containers may write some of these folders, and neither find nor BusyBox escapes it.
tell_sums() {
    summed='' roots=''
    # shellcheck disable=SC2046 # names of apps and releases
    set -- $(printf '%s\n' "$@" | awk "$current_program")
    while [ $# -ge 2 ]; do
        app=$1 folder=$2
        shift 2
        [ -d "$app/releases/$folder" ] || folder=$(printf %.12s "$folder")
        [ -d "$app/releases/$folder" ] || continue
        summed="$summed$app $folder$newline" roots="$roots $app/releases/$folder/files $app/objects"
    done
    [ -n "$roots" ] || return 0
    # shellcheck disable=SC2086 # names of apps and releases
    find $roots ! -path "*$newline*" \( -type f -exec sha256sum {} + -o -type l -print \) 2>/dev/null |
        MARKER=$MARKER SUMMED=$summed awk "$sums_program"
}

# tell_stock APP: its objects, and of each secret its name, its generation and a salted sum
tell_stock() {
    part "objects:$1"
    for path in "$1"/objects/*; do
        [ ! -e "$path" ] || printf '%s\n' "${path##*/}"
    done
    part "secrets:$1"
    for file in "$1"/secrets/*/*; do
        [ -f "$file" ] || continue
        folder=${file%/*}
        sum_secret "$file"
        printf '%s %s %s\n' "${folder##*/}" "${file##*/}" "$sum"
    done
}

# sum_secret FILE: as sum
sum_secret() {
    sum=-
    [ -n "$NONCE" ] || return 0
    sum=$({
        printf '%s' "$NONCE"
        cat "$1"
    } | sha256sum)
    sum=${sum%% *}
}

# tell_lost APP: what is not there, though lading always leaves it
tell_lost() {
    part "lost:$1"
    [ -s "$1/journal" ] || printf 'journal\n'
    [ -s "$1/lease" ] || printf 'lease\n'
}

# tell_busy APP: which command runs there now, if one does
tell_busy() {
    { [ -f "$1/op.lock" ] && [ -r "$1/op.lock" ]; } || return 0
    if ! (
        exec 9<"$1/op.lock"
        flock -n 9
    ) 2>/dev/null; then
        part "busy:$1"
        sed 1q "$1/op.info" 2>/dev/null
    fi
}

# tell_states APP…: all that lies in their folders, which are below this one
tell_states() {
    read_uptime
    for app in "$@"; do
        part "app:$app"
        tell_lost "$app"
        [ "$STOCK" = 0 ] || tell_stock "$app"
    done
    tell_contents "$@"
    [ "$FILES" = 0 ] || tell_sums "$@"
}
