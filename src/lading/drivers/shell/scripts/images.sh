# Which of some images the host has: a line ID NAME each.
# The words: their names.
# needs: prelude end-with-stdin

end_with_stdin
part images
for name in "$@"; do
    id=$(docker image inspect -f '{{.Id}}' "$name" 2>/dev/null </dev/null) && printf '%s %s\n' "$id" "$name"
done
finish
