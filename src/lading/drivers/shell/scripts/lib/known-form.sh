# Whether it is known what the host's Compose makes of a release, so that it need not be asked: the
# same program makes the same of the same words, files and variables.
# READ_BY: the SHA-256 of the plug-in that has read it elsewhere; "before" = this host's reading
# counts, as it lies with the release; "" = Compose is asked.
# SECRETS: those of the release, NAME/GENERATION, a line each. COMPOSE: see compose.
# needs: plugin-sum each-line

# is_form_known SUM: of the files, as they were read elsewhere. reading: the sum of the plug-in
# here, and of what it reads; empty if the form rests on more than that.
is_form_known() {
    reading=
    { [ -n "$READ_BY" ] && is_like_elsewhere; } || return 1
    sum_plugin
    [ -n "$plugin_sum" ] || return 1
    reading="$plugin_sum $(sum_what_is_read)"
    known="$READ_BY $1"
    [ "$READ_BY" != before ] || known=$(cat "$app_dir/releases/$RELEASE/read-by" 2>/dev/null)
    [ "$reading" = "$known" ]
}

# is_like_elsewhere: Compose has no variable beside PATH and HOME that others do not have, and no
# path leads through a link
is_like_elsewhere() {
    [ -z "${DOCKER_HOST:-}${DOCKER_CONFIG:-}${DOCKER_CONTEXT:-}" ] &&
        [ "$(cd "$app_dir" && pwd -P)" = "$app_dir" ]
}

# sum_what_is_read: of the words, and of all files that they may lead to. What is no file has no sum
# of its own, but its name makes this one another.
sum_what_is_read() {
    {
        printf '%s\n' "$COMPOSE"
        (cd "$app_dir" && sum_files | sort)
    } 2>/dev/null | sha256sum | head -c 64
}

# sum_files: of the release, but for what lading writes beside it later, and of its secrets
sum_files() {
    find "releases/$RELEASE" ! -type d ! -type f -print -o -type f \
        ! -path "releases/$RELEASE/deployed.json" ! -path "releases/$RELEASE/read-by" \
        -exec sha256sum {} +
    each_line print_secret_sum "$SECRETS"
}

# print_secret_sum NAME/GENERATION
print_secret_sum() {
    sha256sum "secrets/$1"
}

# keep_reading: beside the release, for whoever goes back to it
keep_reading() {
    [ -n "$reading" ] || return 0
    { printf '%s\n' "$reading" >"$app_dir/releases/$RELEASE/read-by"; } 2>/dev/null
}
