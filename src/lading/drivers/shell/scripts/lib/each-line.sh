# A list comes as a variable with a line for each of its words.

# each_line FUNCTION LINES: call FUNCTION with each line as its argument; stdin stays what it is
each_line() {
    while IFS= read -r line <&5; do
        [ -z "$line" ] || "$1" "$line"
    done 5<<LINES
$2
LINES
}
