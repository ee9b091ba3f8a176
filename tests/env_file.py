"""An env_file with every form of a value that Compose reads, and what a container gets."""

ENV = r"""COLON: colon-secret
export EXPORTED=exported-secret # comment
COMMENT=comment-secret # comment
ESCAPED="escaped-\"secret"
SINGLE='single-\'secret\n'
DOLLAR=dollar-$$secret
NESTED="${GREETING}-rest-${P}-${COMMENT}"
LINES="first-of-lines
  second-of-lines"
BREAK="before-break\nafter-break\t\0101\$X\q"
BARE
SPACES =  with spaces@
""".replace("@", "   ")
GIVEN = {
    "COLON": "colon-secret", "EXPORTED": "exported-secret", "COMMENT": "comment-secret", "ESCAPED": 'escaped-"secret',
    "SINGLE": r"single-'secret\n", "DOLLAR": "dollar-$secret", "NESTED": "hello-rest-hunter2hunter2-comment-secret",
    "LINES": "first-of-lines\n  second-of-lines", "BREAK": "before-break\nafter-break\tA$X\\q",
    "SPACES": "with spaces",
}
